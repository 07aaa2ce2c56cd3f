"""The names of NVIDIA's StyleGAN2 in PyTorch (NVlabs/stylegan2-ada-pytorch, NVlabs/stylegan3) for our variables."""

from __future__ import annotations

import dataclasses

import numpy as np

from biggan_tf.families.stylegan2 import mapped_generator
from biggan_tf.families.stylegan2.blocks import StyledConvolution, ToRGB
from biggan_tf.families.stylegan2.discriminator import Discriminator
from biggan_tf.families.stylegan2.generator import Generator
from biggan_tf.interop.weight_map import Entry, convolution, dense
from biggan_tf.layers.equalised import EqualisedConv2D, EqualisedDense

# Constants of that code, which hold StyleGAN2's filter.
FILTER = "resample_filter"


def generator_entries(generator: Generator) -> list[Entry]:
    """The tensors of G or G_ema and our variables for them."""
    entries = mapping_entries(generator)
    entries.append(Entry("synthesis.b4.const", generator.constant, _to_hwc, _to_chw, axes=(2, 0, 1)))
    for layer in generator.convolutions:
        number = 0 if layer.double else 1
        entries += _styled(f"synthesis.b{layer.size}.conv{number}", layer)
    for size, to_rgb in zip(generator.config.levels, generator.to_rgb, strict=True):
        entries += _to_rgb(f"synthesis.b{size}.torgb", to_rgb)
    return entries


def mapping_entries(generator: mapped_generator.Generator) -> list[Entry]:
    """Those of the mapping network."""
    entries = [Entry("mapping.w_avg", generator.mean_w)]
    if generator.class_embedding is not None:
        entries += dense_entries("mapping.embed", generator.class_embedding)
    for number, layer in enumerate(generator.mapping.layers):
        entries += dense_entries(f"mapping.fc{number}", layer)
    return entries


def discriminator_entries(discriminator: Discriminator) -> list[Entry]:
    """The tensors of D and our variables for them."""
    config = discriminator.config
    entries = _convolution(f"b{config.resolution}.fromrgb", discriminator.from_rgb)
    for size, block in zip(config.levels[:0:-1], discriminator.blocks, strict=True):
        entries += _convolution(f"b{size}.conv0", block.conv_0) + _convolution(f"b{size}.conv1", block.conv_1)
        if block.shortcut is not None:
            entries += _convolution(f"b{size}.skip", block.shortcut)
    entries += _convolution("b4.conv", discriminator.last_conv)
    kernel, bias = dense_entries("b4.fc", discriminator.dense)
    entries += [_flattened(kernel, config.channels(4)), bias, *dense_entries("b4.out", discriminator.last_dense)]
    if config.num_classes:
        entries += dense_entries("mapping.embed", discriminator.class_embedding)
        for number, layer in enumerate(discriminator.mapping.layers):
            entries += dense_entries(f"mapping.fc{number}", layer)
    return entries


def dense_entries(name: str, layer: EqualisedDense) -> list[Entry]:
    """Those of a linear layer with a bias."""
    return [dense(f"{name}.weight", layer.kernel), Entry(f"{name}.bias", layer.bias)]


def _convolution(name: str, layer: EqualisedConv2D) -> list[Entry]:
    entries = [convolution(f"{name}.weight", layer.kernel)]
    return [*entries, Entry(f"{name}.bias", layer.bias)] if layer.use_bias else entries


def _styled(name: str, layer: StyledConvolution) -> list[Entry]:
    return [
        convolution(f"{name}.weight", layer.kernel),
        Entry(f"{name}.bias", layer.bias),
        Entry(f"{name}.noise_strength", layer.noise_strength),
        Entry(f"{name}.noise_const", layer.stored_noise),
        *dense_entries(f"{name}.affine", layer.style),
    ]


def _to_rgb(name: str, layer: ToRGB) -> list[Entry]:
    return [
        convolution(f"{name}.weight", layer.kernel),
        Entry(f"{name}.bias", layer.bias),
        *dense_entries(f"{name}.affine", layer.style),
    ]


def _flattened(entry: Entry, channels: int) -> Entry:
    """The kernel after 4x4 activations were flattened: rows [channels, 4, 4] in the file, [4, 4, channels] here."""

    def to_keras(array: np.ndarray) -> np.ndarray:
        ours = entry.to_keras(array)
        return ours.reshape(channels, 4, 4, -1).transpose(1, 2, 0, 3).reshape(ours.shape)

    def to_torch(array: np.ndarray) -> np.ndarray:
        return entry.to_torch(array.reshape(4, 4, channels, -1).transpose(2, 0, 1, 3).reshape(array.shape))

    return dataclasses.replace(entry, to_keras=to_keras, to_torch=to_torch)


def _to_hwc(array: np.ndarray) -> np.ndarray:
    return array.transpose(1, 2, 0)


def _to_chw(array: np.ndarray) -> np.ndarray:
    return array.transpose(2, 0, 1)
