"""The names and layouts of the PyTorch BigGAN's state dicts (ajbrock/BigGAN-PyTorch)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from biggan_tf.interop.weight_map import Entry, convolution, dense, outputs_channels_last, scalar
from biggan_tf.layers import (
    ConditionalBatchNorm,
    DeepDiscriminatorBlock,
    DeepGeneratorBlock,
    GeneratorBlock,
    SelfAttention,
    SNConv2D,
    SNDense,
    SpectralNormLayer,
)
from biggan_tf.networks import Discriminator, Generator

# What its other batch norms call the same two buffers, and counters that carry no weights.
BATCH_NORM_ALIASES = {
    ".bn.stored_mean": ".stored_mean",
    ".bn.stored_var": ".stored_var",
    ".bn.running_mean": ".stored_mean",
    ".bn.running_var": ".stored_var",
}
IGNORED = (".sv0", "accumulation_counter", "num_batches_tracked")


def generator_entries(generator: Generator) -> list[Entry]:
    """Every tensor of its generator, in its order."""
    entries = [Entry("shared.weight", generator.class_embedding.kernel)]
    channels = generator.stages[0].in_channels
    entries += [outputs_channels_last(entry, channels) for entry in _normalised("linear", generator.linear)]
    for i, layers in enumerate(generator.blocks):
        for j, layer in enumerate(layers):
            # The deep generator numbers blocks, not stages, and attention goes with the second block.
            name = f"blocks.{2 * i + min(j, 1)}.{j // 2}" if generator.model_config.is_deep else f"blocks.{i}.{j}"
            entries += _generator_layer(name, layer)
    entries += _batch_norm("output_layer.0", generator.final_norm)
    entries += _normalised("output_layer.2", generator.to_rgb)
    return entries


def discriminator_entries(discriminator: Discriminator) -> list[Entry]:
    """Every tensor of its discriminator, in its order."""
    entries: list[Entry] = []
    if discriminator.stem is not None:
        entries += _normalised("input_conv", discriminator.stem)
    for i, layers in enumerate(discriminator.blocks):
        for j, layer in enumerate(layers):
            entries += _discriminator_layer(f"blocks.{i}.{j}", layer)
    entries += _normalised("linear", discriminator.head.linear)
    embedding = discriminator.head.embedding
    entries += [Entry("embed.weight", embedding.kernel), Entry("embed.u0", embedding.u)]
    return entries


def singular_values(network: Generator | Discriminator) -> Iterator[tuple[SpectralNormLayer, float]]:
    """Each layer with spectral norm and its sigma as it stands."""
    for layer in network._flatten_layers():
        if isinstance(layer, SpectralNormLayer) and layer.built and layer.u is not None:
            yield layer, float(np.asarray(layer.singular_value()))


def _generator_layer(name: str, layer: Any) -> list[Entry]:
    if isinstance(layer, SelfAttention):
        return _attention(name, layer)
    if isinstance(layer, DeepGeneratorBlock):
        entries = []
        for k, (norm, conv) in enumerate(zip(layer.norms, layer.convolutions, strict=True), start=1):
            entries += _batch_norm(f"{name}.bn{k}", norm) + _normalised(f"{name}.conv{k}", conv)
        return entries
    entries = _normalised(f"{name}.conv1", layer.conv_1) + _normalised(f"{name}.conv2", layer.conv_2)
    entries += _shortcut(name, layer)
    return entries + _batch_norm(f"{name}.bn1", layer.norm_1) + _batch_norm(f"{name}.bn2", layer.norm_2)


def _discriminator_layer(name: str, layer: Any) -> list[Entry]:
    if isinstance(layer, SelfAttention):
        return _attention(name, layer)
    if isinstance(layer, DeepDiscriminatorBlock):
        entries = []
        for k, conv in enumerate(layer.convolutions, start=1):
            entries += _normalised(f"{name}.conv{k}", conv)
        return entries + ([] if layer.missing is None else _normalised(f"{name}.conv_sc", layer.missing))
    entries = _normalised(f"{name}.conv1", layer.conv_1) + _normalised(f"{name}.conv2", layer.conv_2)
    return entries + _shortcut(name, layer)


def _shortcut(name: str, layer: Any) -> list[Entry]:
    has_one = layer.has_shortcut if isinstance(layer, GeneratorBlock) else layer.shortcut_kind == "convolution"
    return _normalised(f"{name}.conv_sc", layer.shortcut) if has_one else []


def _attention(name: str, layer: SelfAttention) -> list[Entry]:
    parts = {"theta": layer.query, "phi": layer.key, "g": layer.value, "o": layer.output_projection}
    entries = [scalar(f"{name}.gamma", layer.gamma)]
    for part, conv in parts.items():
        entries += _normalised(f"{name}.{part}", conv)
    return entries


def _batch_norm(name: str, layer: ConditionalBatchNorm) -> list[Entry]:
    entries = [
        Entry(f"{name}.stored_mean", layer.norm.moving_mean),
        Entry(f"{name}.stored_var", layer.norm.moving_variance),
    ]
    if layer.is_conditional:
        return entries + _normalised(f"{name}.gain", layer.gain) + _normalised(f"{name}.bias", layer.offset)
    return [*entries, Entry(f"{name}.gain", layer.gain), Entry(f"{name}.bias", layer.offset)]


def _normalised(name: str, layer: SNConv2D | SNDense) -> list[Entry]:
    kernel = (convolution if isinstance(layer, SNConv2D) else dense)(f"{name}.weight", layer.kernel)
    entries = [kernel, Entry(f"{name}.u0", layer.u)]
    if layer.use_bias:
        entries.insert(1, Entry(f"{name}.bias", layer.bias))
    return entries
