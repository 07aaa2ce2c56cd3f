"""The table of channels: every architecture number of both networks stands here and nowhere else.

Multiples of ch, from Brock et al. 2018 (arXiv:1809.11096, tables 4 to 9). The generator starts at 4x4; the deep
networks use the same table with two blocks a stage, and the first number of the discriminator's is then its stem.
"""

from __future__ import annotations

import dataclasses

from biggan_tf.config import ModelConfig

BOTTOM_SIZE = 4  # height and width that the generator starts from

GENERATOR_CHANNELS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
DISCRIMINATOR_CHANNELS = {
    32: (4, 4, 4, 4),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
    512: (1, 1, 2, 4, 8, 8, 16, 16),
}
# compare_gan's own rows; the rest agrees.
COMPARE_GAN_DISCRIMINATOR_CHANNELS = {32: (2, 2, 2, 2), 64: (2, 4, 8, 16, 16)}
# At 32 pixels only two blocks halve the image (AJB); compare_gan halves in all but the last.
SMALL_DOWNSAMPLING = (True, True, False, False)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One change of resolution: one block, or two in the deep networks.

    Attributes:
        in_channels: What comes in.
        out_channels: What goes out.
        resample: Whether the image is doubled (G) or halved (D).
        size: Height and width that go out.
        attention: Whether self-attention follows.
    """

    in_channels: int
    out_channels: int
    resample: bool
    size: int
    attention: bool


def generator_stages(model: ModelConfig) -> list[Stage]:
    """The generator's stages, from 4x4 to the image."""
    table = model.generator_table or GENERATOR_CHANNELS[model.resolution]
    flags = model.generator_upsampling or (True,) * (len(table) - 1)
    channels = [number * model.generator_channels for number in table]
    sizes = [BOTTOM_SIZE]
    for flag in flags:
        sizes.append(sizes[-1] * 2 if flag else sizes[-1])
    return _stages(channels, flags, sizes, model.generator_attention)


def discriminator_stages(model: ModelConfig) -> list[Stage]:
    """The discriminator's stages, from the image (deep: from its stem's output) down."""
    rows = DISCRIMINATOR_CHANNELS
    if model.reference == "compare_gan":
        rows = {**rows, **COMPARE_GAN_DISCRIMINATOR_CHANNELS}
    table = model.discriminator_table or rows[model.resolution]
    channels = [number * model.discriminator_channels for number in table]
    if not model.is_deep:
        channels = [3, *channels]
    flags = model.discriminator_downsampling or _default_downsampling(model, len(channels) - 1)
    sizes = [model.resolution]
    for flag in flags:
        sizes.append(sizes[-1] // 2 if flag else sizes[-1])
    return _stages(channels, flags, sizes, model.discriminator_attention)


def _default_downsampling(model: ModelConfig, num_stages: int) -> tuple[bool, ...]:
    small = model.resolution == 32 and model.reference != "compare_gan" and model.discriminator_table is None
    if small:
        return SMALL_DOWNSAMPLING[:num_stages]
    return (True,) * (num_stages - 1) + (model.is_deep,)


def _stages(channels: list[int], flags: tuple[bool, ...], sizes: list[int], attention: tuple[int, ...]) -> list[Stage]:
    """Attention follows the stage that first puts out its size, once."""
    stages = []
    for i, flag in enumerate(flags):
        first = sizes[i + 1] not in sizes[: i + 1]
        stages.append(Stage(channels[i], channels[i + 1], flag, sizes[i + 1], first and sizes[i + 1] in attention))
    return stages
