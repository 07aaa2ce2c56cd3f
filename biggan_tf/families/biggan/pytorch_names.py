"""Which tensor of a PyTorch BigGAN's state dict (ajbrock/BigGAN-PyTorch) belongs to which variable, and how it lies."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from biggan_tf.contracts.network import layers_of
from biggan_tf.families.biggan.blocks import DeepDiscriminatorBlock, DeepGeneratorBlock, GeneratorBlock
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.interop.weight_map import Entry, convolution, dense, outputs_channels_last, scalar
from biggan_tf.layers import (
    ConditionalBatchNorm,
    SelfAttention,
    SNConv2D,
    SNDense,
    SpectralNormLayer,
)

# That code has three classes of batch norms, which name the same two buffers differently.
BATCH_NORM_ALIASES = {
    ".bn.stored_mean": ".stored_mean",
    ".bn.stored_var": ".stored_var",
    ".bn.running_mean": ".stored_mean",
    ".bn.running_var": ".stored_var",
}
# Ends of the names of tensors that hold no weights: counters, and the latest singular values.
IGNORED = (".sv0", "accumulation_counter", "num_batches_tracked")


def current_name(name: str) -> str:
    """The name that all versions of that code agree on."""
    name = name.removeprefix("module.")
    for theirs, ours in BATCH_NORM_ALIASES.items():
        if name.endswith(theirs):
            name = name.removesuffix(theirs) + ours
    return name


def generator_entries(generator: Generator) -> list[Entry]:
    """Every tensor of a generator in that code's order, each with the variable that holds it here."""
    entries = [Entry("shared.weight", generator.class_embedding.kernel)]
    channels = generator.levels[0].in_channels
    entries += [outputs_channels_last(entry, channels) for entry in _kernel_and_bias("linear", generator.linear)]
    for i, layers in enumerate(generator.blocks):
        for j, layer in enumerate(layers):
            # The deep generator numbers blocks, not levels, and attention goes with the second block.
            name = f"blocks.{2 * i + min(j, 1)}.{j // 2}" if generator.config.is_deep else f"blocks.{i}.{j}"
            entries += _generator_layer(name, layer)
    entries += _batch_norm("output_layer.0", generator.final_norm)
    entries += _kernel_and_bias("output_layer.2", generator.to_rgb)
    return entries


def discriminator_entries(discriminator: Discriminator) -> list[Entry]:
    """Every tensor of a discriminator in that code's order, each with the variable that holds it here."""
    entries: list[Entry] = []
    if discriminator.stem is not None:
        entries += _kernel_and_bias("input_conv", discriminator.stem)
    for i, layers in enumerate(discriminator.blocks):
        for j, layer in enumerate(layers):
            entries += _discriminator_layer(f"blocks.{i}.{j}", layer)
    entries += _kernel_and_bias("linear", discriminator.head.linear)
    embedding = discriminator.head.embedding
    entries += [Entry("embed.weight", embedding.kernel), Entry("embed.u0", embedding.u)]
    return entries


def singular_values(network: Generator | Discriminator) -> Iterator[tuple[SpectralNormLayer, float]]:
    """Each layer with spectral norm and the largest singular value of its kernel, by its present u."""
    for layer in layers_of(network, SpectralNormLayer).values():
        if layer.u is not None:
            yield layer, float(np.asarray(layer.singular_value()))


def _generator_layer(name: str, layer: keras.layers.Layer) -> list[Entry]:
    if isinstance(layer, SelfAttention):
        return _attention(name, layer)
    if isinstance(layer, DeepGeneratorBlock):
        entries = []
        for k, (norm, conv) in enumerate(zip(layer.norms, layer.convolutions, strict=True), start=1):
            entries += _batch_norm(f"{name}.bn{k}", norm) + _kernel_and_bias(f"{name}.conv{k}", conv)
        return entries
    entries = _kernel_and_bias(f"{name}.conv1", layer.conv_1) + _kernel_and_bias(f"{name}.conv2", layer.conv_2)
    entries += _shortcut(name, layer)
    return entries + _batch_norm(f"{name}.bn1", layer.norm_1) + _batch_norm(f"{name}.bn2", layer.norm_2)


def _discriminator_layer(name: str, layer: keras.layers.Layer) -> list[Entry]:
    if isinstance(layer, SelfAttention):
        return _attention(name, layer)
    if isinstance(layer, DeepDiscriminatorBlock):
        entries = []
        for k, conv in enumerate(layer.convolutions, start=1):
            entries += _kernel_and_bias(f"{name}.conv{k}", conv)
        return entries + ([] if layer.missing is None else _kernel_and_bias(f"{name}.conv_sc", layer.missing))
    entries = _kernel_and_bias(f"{name}.conv1", layer.conv_1) + _kernel_and_bias(f"{name}.conv2", layer.conv_2)
    return entries + _shortcut(name, layer)


def _shortcut(name: str, layer: keras.layers.Layer) -> list[Entry]:
    has_one = layer.has_shortcut if isinstance(layer, GeneratorBlock) else layer.shortcut_kind == "convolution"
    return _kernel_and_bias(f"{name}.conv_sc", layer.shortcut) if has_one else []


def _attention(name: str, layer: SelfAttention) -> list[Entry]:
    parts = {"theta": layer.query, "phi": layer.key, "g": layer.value, "o": layer.output_projection}
    entries = [scalar(f"{name}.gamma", layer.gamma)]
    for part, conv in parts.items():
        entries += _kernel_and_bias(f"{name}.{part}", conv)
    return entries


def _batch_norm(name: str, layer: ConditionalBatchNorm) -> list[Entry]:
    entries = [
        Entry(f"{name}.stored_mean", layer.norm.moving_mean),
        Entry(f"{name}.stored_var", layer.norm.moving_variance),
    ]
    if layer.is_conditional:
        return entries + _kernel_and_bias(f"{name}.gain", layer.gain) + _kernel_and_bias(f"{name}.bias", layer.offset)
    return [*entries, Entry(f"{name}.gain", layer.gain), Entry(f"{name}.bias", layer.offset)]


def _kernel_and_bias(name: str, layer: SNConv2D | SNDense) -> list[Entry]:
    kernel = (convolution if isinstance(layer, SNConv2D) else dense)(f"{name}.weight", layer.kernel)
    entries = [kernel, Entry(f"{name}.u0", layer.u)]
    if layer.use_bias:
        entries.insert(1, Entry(f"{name}.bias", layer.bias))
    return entries
