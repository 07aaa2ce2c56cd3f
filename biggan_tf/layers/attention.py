"""Self-attention over the positions of an image (Zhang et al. 2018, arXiv:1805.08318, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.types import Activations, InputShape, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class SelfAttention(keras.layers.Layer):
    """Adds to each position a learnt share, gamma, of what it attends to at the others; gamma starts at 0.

    As in the code of BigGAN, keys and values are max-pooled over 2x2 positions, and the products of queries and keys
    are not scaled. These products and the softmax are computed in float32, or in float64 under that policy. Height and
    width must be even and the channels at least 8.

    Args:
        spectral_norm: A `SpectralNormOptions` for the four 1x1 convolutions, or the dict of its fields that
            `get_config` returns; None takes its defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> SelfAttention()(keras.ops.ones((2, 8, 8, 16))).shape
        (2, 8, 8, 16)
    """

    def __init__(self, spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.spectral_norm = SpectralNormOptions.of(spectral_norm)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: InputShape) -> None:
        batch, height, width, channels = input_shape
        if channels is None or channels < 8:
            raise ValueError(f"Self-attention needs at least 8 channels. Received: input_shape={tuple(input_shape)}")
        self.query = self._projection(channels // 8, "query")
        self.key = self._projection(channels // 8, "key")
        self.value = self._projection(channels // 2, "value")
        self.output_projection = self._projection(channels, "output")
        for layer in (self.query, self.key, self.value):
            layer.build(input_shape)
        self.output_projection.build((batch, height, width, channels // 2))
        wide = accumulation_dtype(self.compute_dtype)
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros", dtype=wide, autocast=False)

    def _projection(self, filters: int, name: str) -> SNConv2D:
        return SNConv2D(
            filters, 1, use_bias=False, spectral_norm=self.spectral_norm, name=name, dtype=self.dtype_policy
        )

    def call(self, x: Activations, training: bool = False) -> Activations:
        batch, height, width, _ = ops.shape(x)
        # g(x), f(x) and h(x) of the paper.
        queries = _flatten_positions(self.query(x, training=training))  # [N, H*W, C/8]
        keys = _flatten_positions(_max_pool(self.key(x, training=training)))  # [N, H*W/4, C/8]
        values = _flatten_positions(_max_pool(self.value(x, training=training)))  # [N, H*W/4, C/2]
        # Widened before the product, not after: the products, which are large, are then written once, and float16
        # would overflow in them.
        queries, keys = widen(queries), widen(keys)
        # Equation 1: s_ij = f(x_i)^T g(x_j), beta_ji = exp(s_ij) / sum over i of exp(s_ij).
        logits = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        record("attention", logits.shape, queries.shape[-1])
        weights = ops.cast(ops.softmax(logits, axis=-1), values.dtype)
        # Equation 2: o_j = v(sum over i of beta_ji h(x_i)).
        mixed = ops.matmul(weights, values)
        record("attention", mixed.shape, weights.shape[-1])
        y = self.output_projection(ops.reshape(mixed, (batch, height, width, values.shape[-1])), training=training)
        # Equation 3: y_j = gamma o_j + x_j.
        return x + ops.cast(self.gamma, y.dtype) * y

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "spectral_norm": self.spectral_norm.to_dict()}


def _max_pool(x: Activations) -> Float[Tensor, "N H//2 W//2 C"]:
    return ops.max_pool(x, 2, strides=2, padding="valid")


def _flatten_positions(x: Activations) -> Float[Tensor, "N H*W C"]:
    batch, height, width, channels = ops.shape(x)
    return ops.reshape(x, (batch, height * width, channels))
