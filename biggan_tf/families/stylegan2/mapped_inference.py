"""A StyleGAN generator that was folded for inference, in two halves: latents to styles, and styles to images."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float, Int

from biggan_tf.contracts.inference import EXACT
from biggan_tf.families.stylegan2.mapped_generator import Generator
from biggan_tf.types import Embeddings, Images, Latents, RowKeys, Tensor


class MappedInference(tf.Module):
    """A generator of StyleGAN2 or StyleGAN3 that was folded, see `contracts.inference.StyleInference`.

    Args:
        network: A generator with the weights to serve with. It belongs to this object afterwards, so it must be a copy.
        rows: `EXACT`, the default, or `FAST`. Both compute the same operations.
        added: What its folding computed from its weights.
        unused: Variables of it that `synthesise` does not read.

    Example:
        >>> folded = fold(generator, {})
        >>> images = folded.synthesise(folded.map(z, None, truncation, cutoff), keys)
    """

    def __init__(
        self,
        network: Generator,
        rows: str = EXACT,
        added: Sequence[tf.Variable] = (),
        unused: Sequence[keras.Variable] = (),
    ):
        super().__init__(name="inference_generator")
        self.config, self.rows = network.config, rows
        self.embedding_dim, self.has_noise = network.embedding_dim, network.has_noise
        self.num_styles, self.w_dim = network.num_styles, network.config.w_dim
        unused = [*unused, *(network.class_embedding.weights if network.class_embedding is not None else ())]
        self._table = None
        if network.config.num_classes:
            self._table = tf.Variable(network.embed(np.arange(network.config.num_classes)), trainable=False)
        # In functions, because a SavedModel stores every variable of the objects that an attribute holds.
        self._styles = lambda *inputs: network.layer_ws(*inputs)
        self._synthesise = lambda ws, keys: network.synthesise(network.styles_from(ws), keys)
        identities = {id(variable) for variable in unused}
        self.in_use = [weight.value for weight in network.weights if id(weight) not in identities]
        self.in_use += added
        self.in_use += [] if self._table is None else [self._table]

    def __call__(
        self,
        z: Latents,
        embedding: Embeddings | None,
        truncation: Float[Tensor, " N"],
        keys: RowKeys | None = None,
    ) -> Images:
        return self._synthesise(self._styles(z, embedding, truncation), keys)

    def map(
        self,
        z: Latents,
        embedding: Embeddings | None,
        truncation: Float[Tensor, " N"],
        cutoff: Int[Tensor, " N"],
    ) -> Float[Tensor, "N layers V"]:
        """The style of each layer."""
        return self._styles(z, embedding, truncation, cutoff)

    def synthesise(self, ws: Float[Tensor, "N layers V"], keys: RowKeys | None = None) -> Images:
        """Images from styles."""
        return self._synthesise(ws, keys)

    def table(self) -> Float[Tensor, "classes E"]:
        """The embeddings of all classes."""
        return tf.convert_to_tensor(self._table)
