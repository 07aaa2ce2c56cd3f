"""The tables of channels, from which both networks are built.

The numbers are multiples of ch, from Brock et al. 2018 (arXiv:1809.11096, tables 4 to 9). The generator starts at 4x4.
The deep networks use the same tables with two blocks at each level; the discriminator's first number is then its stem.
Where a published variant has other numbers, they stand in variants.py.
"""

from __future__ import annotations

import dataclasses

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.variants import variant_of

BOTTOM_SIZE = 4  # height and width that the generator starts from

# By resolution: the width at 4x4, and then the output of each level.
GENERATOR_CHANNELS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
# By resolution: the output of each level; for the deep networks that of the stem, and then of each level.
DISCRIMINATOR_CHANNELS = {
    32: (4, 4, 4, 4),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
    512: (1, 1, 2, 4, 8, 8, 16, 16),
}


@dataclasses.dataclass(frozen=True)
class Level:
    """A row of the paper's tables 4 to 9: one block, or two in the deep networks, and perhaps self-attention.

    Attributes:
        in_channels: The channels that the first block takes.
        out_channels: The channels that the last block puts out.
        resample: Whether the level doubles the image (generator) or halves it (discriminator).
        size: The height and width that the level puts out.
        attention: Whether self-attention follows the blocks.
    """

    in_channels: int
    out_channels: int
    resample: bool
    size: int
    attention: bool


def generator_levels(model: BigGANConfig) -> list[Level]:
    """The levels of the generator, from 4x4 up to the image."""
    table = model.generator_table or GENERATOR_CHANNELS[model.resolution]
    doubles = model.generator_upsampling or (True,) * (len(table) - 1)
    channels = [number * model.generator_channels for number in table]
    sizes = [BOTTOM_SIZE]
    for level_doubles in doubles:
        sizes.append(sizes[-1] * 2 if level_doubles else sizes[-1])
    return _levels(channels, doubles, sizes, model.generator_attention)


def discriminator_levels(model: BigGANConfig) -> list[Level]:
    """The levels of the discriminator, from the image (deep: from the output of its stem) down."""
    rows = {**DISCRIMINATOR_CHANNELS, **variant_of(model).discriminator_channels}
    table = model.discriminator_table or rows[model.resolution]
    channels = [number * model.discriminator_channels for number in table]
    if not model.is_deep:
        channels = [3, *channels]
    halves = model.discriminator_downsampling or default_halves(model, len(channels) - 1)
    sizes = [model.resolution]
    for level_halves in halves:
        sizes.append(sizes[-1] // 2 if level_halves else sizes[-1])
    return _levels(channels, halves, sizes, model.discriminator_attention)


def default_halves(model: BigGANConfig, num_levels: int) -> tuple[bool, ...]:
    """Which levels of the discriminator halve the image, where the configuration does not say so.

    Args:
        model: The configuration of both networks.
        num_levels: How many levels the discriminator has.
    """
    if model.resolution == 32 and model.discriminator_table is None:
        return tuple(index < variant_of(model).halvings_of_32_pixels for index in range(num_levels))
    # Tables 4 to 9: all but the last, which in the deep networks halves as well.
    return (True,) * (num_levels - 1) + (model.is_deep,)


def attention_sizes(model: BigGANConfig) -> dict[str, list[int]]:
    """After which sizes each network can have self-attention, by the name of the field of a `BigGANConfig`."""
    generator = {level.size for level in generator_levels(model)} - {BOTTOM_SIZE}
    discriminator = {level.size for level in discriminator_levels(model)} - {model.resolution}
    return {"generator_attention": sorted(generator), "discriminator_attention": sorted(discriminator)}


def _levels(
    channels: list[int], resamples: tuple[bool, ...], sizes: list[int], attention: tuple[int, ...]
) -> list[Level]:
    """Attention follows the level that first puts out one of its sizes, once for each."""
    levels = []
    for i, resample in enumerate(resamples):
        is_first = sizes[i + 1] not in sizes[: i + 1]
        attends = is_first and sizes[i + 1] in attention
        levels.append(Level(channels[i], channels[i + 1], resample, sizes[i + 1], attends))
    return levels
