"""Folds a generator for inference: whatever is the same in every call is computed once, before it is exported."""

from __future__ import annotations

import tensorflow as tf
from jaxtyping import Float

from biggan_tf.contracts import generator as contract
from biggan_tf.contracts.inference import EXACT, BatchNormMoments
from biggan_tf.contracts.network import layers_of
from biggan_tf.families.biggan.blocks import DeepGeneratorBlock, GeneratorBlock
from biggan_tf.families.biggan.generator import Generator, Styles
from biggan_tf.families.biggan.modulations import Modulations
from biggan_tf.inference.folding import copy_for, divide_kernels
from biggan_tf.inference.lean_convolutions import make_lean
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.types import Embeddings, Images, Latents, RowKeys, Tensor


class BigGANInference(tf.Module):
    """A BigGAN generator that was rearranged for inference, see `contracts.inference.InferenceGenerator`.

    Its kernels are divided by their singular values, its convolutions rearranged for speed (`make_lean`), and its batch
    norms are one scale and one shift for each row and channel (`Modulations`).

    Args:
        network: A generator with the weights and moments to serve with. It is changed and belongs to this object
            afterwards, so it must be a copy.
        rows: `EXACT`, the default, to be fast for calls with one row each, or `FAST` for batches.

    Example:
        >>> images = fold(generator, moments)(z, embedding, truncation)
    """

    def __init__(self, network: Generator, rows: str = EXACT):
        super().__init__(name="inference_generator")
        self.config, self.rows = network.config, rows
        self.embedding_dim, self.has_noise = network.embedding_dim, network.has_noise
        unused = [layer.u for layer in layers_of(network, SpectralNormLayer).values() if layer.u is not None]
        divide_kernels(network)
        _move_biases(network)
        # In functions, because a SavedModel stores every variable of the objects that an attribute holds.
        modulations = Modulations(network)
        unused += modulations.replaced
        added = list(modulations.variables)
        for layer in layers_of(network, SNConv2D).values():
            lean = make_lean(layer, rows)
            added += lean
            unused += [layer.kernel] if lean else []
        self._modulate = lambda conditions, truncation: modulations(conditions, truncation)
        self._synthesise = lambda styles: network.synthesise(styles)
        self._inputs = lambda z, embedding: (network.first_input(z, embedding), network.conditions(z, embedding))
        self._table = lambda: tf.convert_to_tensor(network.class_embedding.kernel)
        identities = {id(variable) for variable in unused}
        self.in_use = [weight.value for weight in network.weights if id(weight) not in identities] + added

    def __call__(
        self,
        z: Latents,
        embedding: Embeddings | None,
        truncation: Float[Tensor, " N"],
        keys: RowKeys | None = None,
    ) -> Images:
        del keys  # BigGAN has no noise
        first, conditions = self._inputs(z, embedding)
        pairs = self._modulate(conditions, truncation)
        # Every norm takes its own pair out of the one list.
        return self._synthesise(Styles(first, (pairs,) * len(conditions), None))

    def table(self) -> Float[Tensor, "classes E"]:
        """The embeddings of all classes."""
        return self._table()


def fold(
    generator: contract.Generator, moments: BatchNormMoments, precision: str = "float32", rows: str = EXACT
) -> BigGANInference:
    """Copies a generator into one for inference; arguments and result are those of `FamilyConfig.fold`."""
    copy = copy_for(generator, moments, precision)
    if not isinstance(copy, Generator):
        raise TypeError(f"A BigGAN must be folded here. Received: {type(generator).__name__}")
    return BigGANInference(copy, rows)


def _move_biases(folded: Generator) -> None:
    """Moves those biases of the blocks that something else can add, which saves a pass over the activations for each.

    A norm follows the first convolution of a block, and all but the last one of a deep block, so that their biases go
    into its mean: (x + bias - mean) * scale = (x - (mean - bias)) * scale. The last bias of a block goes into that of
    its shortcut, where this is a convolution: x + bias + (shortcut + its bias) = x + (shortcut + both biases).

    All others stay: that of a shortcut, the last one of a block that adds its input as it is and of a deep block, and
    those outside of the blocks.
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
