"""A generator as it is served: no power iteration, no batch statistics, no kernel that is computed at every call."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf.config import ModelConfig
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.deep_generator_block import DeepGeneratorBlock
from biggan_tf.layers.generator_block import GeneratorBlock
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.networks.discriminator import Discriminator
from biggan_tf.networks.generator import Generator
from serving import signatures as s
from serving.export.lean_convolutions import make_lean
from serving.export.modulations import Modulations
from serving.export.network_layers import layers_of

Moments = dict[str, tuple[np.ndarray, np.ndarray]]


def moments_of(generator: Generator) -> Moments:
    """Returns a generator's own moments: the running ones of training, or its grid of standing ones."""

    def rows(variable: Any) -> np.ndarray:
        value = variable.numpy()
        return value if value.ndim == 2 else value[None]

    return {
        path: (rows(layer.moving_mean), rows(layer.moving_variance))
        for path, layer in layers_of(generator, BatchNorm).items()
    }


class InferenceGenerator(tf.Module):
    """A generator rearranged for inference: z [N, z_dim], embedding [N, E] or None, truncation [N] -> [N, R, R, 3].

    Its kernels are divided by their singular values, its convolutions rearranged for speed (`make_lean`), and its batch
    norms are one scale and one shift for each row and channel (`Modulations`).

    Args:
        network: A copy that belongs to this object, with the weights and moments to serve with.
        rows: "exact" or "fast": whether calls will hold one row each or batches; each computes both, at its own speed.

    Attributes:
        model_config: Of the generator.
        rows: As given.
        in_use: The variables that a call reads.

    Example:
        >>> images = fold(generator, moments)(z, embedding, truncation)
    """

    def __init__(self, network: Generator, rows: str = s.EXACT):
        super().__init__(name="inference_generator")
        self.rows = rows
        self.model_config = network.model_config
        unused = [layer.u for layer in layers_of(network, SpectralNormLayer).values() if layer.u is not None]
        _divide_kernels(network)
        _move_biases(network)
        # Behind functions, so that only the weights that are used go into the SavedModel.
        modulations = Modulations(network)
        unused += modulations.replaced
        added = list(modulations.variables)
        for layer in layers_of(network, SNConv2D).values():
            lean = make_lean(layer, rows)
            added += lean
            unused += [layer.kernel] if lean else []
        self._modulate = lambda conditions, truncation: modulations(conditions, truncation)
        self._synthesise = lambda first, conditions: network.synthesise(first, conditions)
        self._inputs = lambda z, embedding: (network.first_input(z, embedding), network.conditions(z, embedding))
        self._table = lambda: tf.convert_to_tensor(network.class_embedding.kernel)
        identities = {id(variable) for variable in unused}
        self.in_use = [weight.value for weight in network.weights if id(weight) not in identities] + added

    def __call__(self, z: Any, embedding: Any, truncation: Any) -> Any:
        first, conditions = self._inputs(z, embedding)
        modulations = self._modulate(conditions, truncation)
        # Every norm takes its own pair out of the one list.
        return self._synthesise(first, [modulations] * len(conditions))

    def table(self) -> Any:
        """The embeddings of all classes, [classes, E]."""
        return self._table()


def fold(generator: Generator, moments: Moments, precision: str = "float32", rows: str = s.EXACT) -> InferenceGenerator:
    """Copies a generator into one for inference.

    Args:
        generator: The trained one (EMA weights); it is left as it is.
        moments: Mean and variance of every `BatchNorm` by its path, [T, C] for T truncations evenly over 0 ... 1.
        precision: "float32" or "bfloat16".
        rows: See `InferenceGenerator`.
    """
    counts = {len(mean) for mean, _ in moments.values()}
    if len(counts) != 1:
        raise ValueError(f"Every batch norm must have moments for the same truncations. Received: {sorted(counts)}")
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    folded = Generator(generator.model_config, num_statistics=counts.pop(), dtype=policy, name=generator.name)
    for source, target in zip(generator.weights, folded.weights, strict=True):
        if not source.name.startswith("moving_"):
            target.assign(source)
    for path, layer in layers_of(folded, BatchNorm).items():
        mean, variance = moments[path]
        squeeze = len(mean) == 1
        layer.moving_mean.assign(mean[0] if squeeze else mean)
        layer.moving_variance.assign(variance[0] if squeeze else variance)
    return InferenceGenerator(folded, rows)


def fold_discriminator(discriminator: Discriminator) -> Discriminator:
    """Copies a discriminator into one whose kernels are divided by their singular values."""
    folded = Discriminator(discriminator.model_config, dtype="float32", name=discriminator.name)
    folded.set_weights(discriminator.get_weights())
    _divide_kernels(folded)
    return folded


def _divide_kernels(network: Generator | Discriminator) -> None:
    for layer in layers_of(network, SpectralNormLayer).values():
        if layer.spectral_norm:
            layer.kernel.assign(layer.kernel / layer.singular_value())
            layer.spectral_norm = False


def _move_biases(folded: Generator) -> None:
    """Takes each bias to where it costs no pass over the activations.

    Before a norm it is the same as a smaller mean; beside a shortcut that doubles, the shortcut adds it at half size.
    """
    for block in layers_of(folded, GeneratorBlock).values():
        _into_mean(block.conv_1, block.norm_2)
        if block.has_shortcut:
            block.shortcut.bias.assign_add(block.conv_2.bias)
            block.conv_2.use_bias = False
    for block in layers_of(folded, DeepGeneratorBlock).values():
        for convolution, norm in zip(block.convolutions[:-1], block.norms[1:], strict=True):
            _into_mean(convolution, norm)


def _into_mean(convolution: SNConv2D, norm: ConditionalBatchNorm) -> None:
    norm.norm.moving_mean.assign(norm.norm.moving_mean - convolution.bias)
    convolution.use_bias = False


def model_sizes(config: ModelConfig) -> dict[str, int]:
    """Returns the sizes that the signatures' shapes name."""
    return {
        "resolution": config.resolution,
        "z_dim": config.z_dim,
        "num_classes": config.num_classes,
        "embedding_dim": config.embedding_dim,
    }
