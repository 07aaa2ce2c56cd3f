"""The names of the authors' R3GAN in PyTorch (brownvc/R3GAN) for our variables."""

from __future__ import annotations

from biggan_tf.families.r3gan.blocks import Bottleneck, Transition
from biggan_tf.families.r3gan.discriminator import Discriminator
from biggan_tf.families.r3gan.generator import Generator
from biggan_tf.interop.weight_map import Entry, convolution, dense

# Constants of that code, which hold the filter.
FILTER = "Resampler.Kernel"


def generator_entries(generator: Generator) -> list[Entry]:
    """The tensors of G or G_ema and our variables for them."""
    entries = [
        Entry(
            "MainLayers.0.Layers.0.Basis",
            generator.basis,
            lambda array: array.transpose(1, 2, 0),
            lambda array: array.transpose(2, 0, 1),
            axes=(2, 0, 1),
        ),
        dense("MainLayers.0.Layers.0.LinearLayer.weight", generator.dense.kernel),
        convolution("AggregationLayer.Layer.weight", generator.to_rgb.kernel),
    ]
    for number, (transition, blocks) in enumerate(generator.stages):
        entries += _transition(f"MainLayers.{number}.Layers.0", transition)
        for index, block in enumerate(blocks):
            entries += _block(f"MainLayers.{number}.Layers.{index + 1}", block)
    if generator.class_embedding is not None:
        entries.append(dense("EmbeddingLayer.weight", generator.class_embedding.kernel))
    return entries


def discriminator_entries(discriminator: Discriminator) -> list[Entry]:
    """The tensors of D and our variables for them."""
    entries = [convolution("ExtractionLayer.Layer.weight", discriminator.from_rgb.kernel)]
    for number, (blocks, transition) in enumerate(discriminator.stages):
        for index, block in enumerate(blocks):
            entries += _block(f"MainLayers.{number}.Layers.{index}", block)
        entries += _transition(f"MainLayers.{number}.Layers.{len(blocks)}", transition)
    last = f"MainLayers.{len(discriminator.stages) - 1}.Layers.{len(discriminator.stages[-1][0])}"
    entries += [
        Entry(
            f"{last}.Basis.weight",
            discriminator.basis,
            lambda array: array.reshape(array.shape[0], 4, 4).transpose(1, 2, 0),
            lambda array: array.transpose(2, 0, 1)[:, None],
            any_shape=True,
        ),
        dense(f"{last}.LinearLayer.weight", discriminator.dense.kernel),
    ]
    if discriminator.class_embedding is not None:
        entries.append(dense("EmbeddingLayer.weight", discriminator.class_embedding.kernel))
    return entries


def _block(name: str, block: Bottleneck) -> list[Entry]:
    convolutions = (block.conv_1, block.conv_2, block.conv_3)
    return [
        *(convolution(f"{name}.LinearLayer{i}.Layer.weight", layer.kernel) for i, layer in enumerate(convolutions, 1)),
        Entry(f"{name}.NonLinearity1.Bias", block.bias_1),
        Entry(f"{name}.NonLinearity2.Bias", block.bias_2),
    ]


def _transition(name: str, transition: Transition | None) -> list[Entry]:
    if transition is None or transition.conv is None:
        return []
    return [convolution(f"{name}.LinearLayer.Layer.weight", transition.conv.kernel)]
