"""The names of the authors' TensorFlow code (tkarras/progressive_growing_of_gans) for our variables.

Its convolutions lie as ours do, [h, w, in, out], and its linear layers too, [in, out]. Flattened 4x4 pixels are
[channels, 4, 4] there. Where doubling and a convolution are fused, the kernel is that of a transposed convolution: it
is turned by 180 degrees against ours and has the outputs in front of the inputs.
"""

from __future__ import annotations

import numpy as np

from biggan_tf.families.progan.blocks import GrownConvolution, HiddenDense, LatentToPixels
from biggan_tf.families.progan.discriminator import Discriminator
from biggan_tf.families.progan.generator import Generator
from biggan_tf.interop.weight_map import Entry
from biggan_tf.layers.equalised import EqualisedConv2D, EqualisedDense

# The level of detail, which not every file holds.
LOD = "lod"


def generator_entries(generator: Generator, fused: bool = True) -> list[Entry]:
    """The tensors of G or Gs and our variables for them.

    Args:
        generator: The network.
        fused: Whether its code fused doubling and halving with convolutions (`fused_scale`).
    """
    entries = []
    config = generator.config
    for size, block, to_rgb in zip(config.levels, generator.blocks, generator.to_rgb, strict=True):
        first, second = block
        scope = f"{size}x{size}"
        if size == 4:
            kernel, bias = _layer(f"{scope}/Dense", first)
            entries += [_outputs_of_pixels(kernel, config.channels(4)), bias, *_layer(f"{scope}/Conv", second)]
        elif fused:
            kernel, bias = _layer(f"{scope}/Conv0_up", first)
            entries += [_transposed(kernel), bias, *_layer(f"{scope}/Conv1", second)]
        else:
            entries += [*_layer(f"{scope}/Conv0", first), *_layer(f"{scope}/Conv1", second)]
        entries += _layer(f"ToRGB_lod{config.lod_of(size):.0f}", to_rgb)
    return entries


def discriminator_entries(discriminator: Discriminator, fused: bool = True) -> list[Entry]:
    """The tensors of D and our variables for them; the arguments are those of `generator_entries`."""
    entries = []
    config = discriminator.config
    for number, size in reversed(list(enumerate(config.levels))):
        entries += _layer(f"FromRGB_lod{config.lod_of(size):.0f}", discriminator.from_rgb[number])
        if size > 4:
            conv_0, conv_1 = discriminator.blocks[number - 1]
            last = "Conv1_down" if fused else "Conv1"
            entries += [*_layer(f"{size}x{size}/Conv0", conv_0), *_layer(f"{size}x{size}/{last}", conv_1)]
    entries += _layer("4x4/Conv", discriminator.last_conv)
    kernel, bias = _layer("4x4/Dense0", discriminator.dense)
    return [
        *entries,
        _inputs_of_pixels(kernel, config.channels(4)),
        bias,
        *_layer("4x4/Dense1", discriminator.last_dense),
    ]


def _layer(
    name: str, layer: GrownConvolution | LatentToPixels | HiddenDense | EqualisedConv2D | EqualisedDense
) -> list[Entry]:
    return [Entry(f"{name}/weight", layer.kernel), Entry(f"{name}/bias", layer.bias)]


def _transposed(entry: Entry) -> Entry:
    def turn(array: np.ndarray) -> np.ndarray:
        return array[::-1, ::-1].transpose(0, 1, 3, 2)

    return Entry(entry.name, entry.variable, turn, turn, axes=(0, 1, 3, 2))


def _outputs_of_pixels(entry: Entry, channels: int) -> Entry:
    """The kernel whose outputs become 4x4 pixels: columns [channels, 4, 4] in the file, [4, 4, channels] here."""
    return Entry(
        entry.name,
        entry.variable,
        lambda array: array.reshape(-1, channels, 4, 4).transpose(0, 2, 3, 1).reshape(array.shape),
        lambda array: array.reshape(-1, 4, 4, channels).transpose(0, 3, 1, 2).reshape(array.shape),
    )


def _inputs_of_pixels(entry: Entry, channels: int) -> Entry:
    """The kernel whose inputs were 4x4 pixels: rows [channels, 4, 4] in the file, [4, 4, channels] here."""
    return Entry(
        entry.name,
        entry.variable,
        lambda array: array.reshape(channels, 4, 4, -1).transpose(1, 2, 0, 3).reshape(array.shape),
        lambda array: array.reshape(4, 4, channels, -1).transpose(2, 0, 1, 3).reshape(array.shape),
    )
