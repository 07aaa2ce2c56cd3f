"""Self-attention over the image's positions (Zhang et al. 2018, arXiv:1805.08318, section 3)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype, widen


@keras.saving.register_keras_serializable("biggan_tf")
class SelfAttention(keras.layers.Layer):
    """x + gamma * attention(x) on NHWC activations; keys and values are max-pooled, the logits not scaled.

    Height and width must be even and C at least 8. Logits and softmax are computed in float32, or in
    float64 under that policy.

    Args:
        convolution: Keyword arguments of the four `SNConv2D`.

    Example:
        >>> SelfAttention()(keras.ops.ones((2, 8, 8, 16))).shape
        (2, 8, 8, 16)
    """

    def __init__(self, convolution: dict[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.convolution = dict(convolution or {})
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        batch, height, width, channels = input_shape
        if channels is None or channels < 8:
            raise ValueError(f"Self-attention needs at least 8 channels. Received: input_shape={tuple(input_shape)}")
        options: dict[str, Any] = {"use_bias": False, "dtype": self.dtype_policy, **self.convolution}
        self.query = SNConv2D(channels // 8, 1, name="query", **options)
        self.key = SNConv2D(channels // 8, 1, name="key", **options)
        self.value = SNConv2D(channels // 2, 1, name="value", **options)
        self.output_projection = SNConv2D(channels, 1, name="output", **options)
        for layer in (self.query, self.key, self.value):
            layer.build(input_shape)
        self.output_projection.build((batch, height, width, channels // 2))
        wide = accumulation_dtype(self.compute_dtype)
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros", dtype=wide, autocast=False)

    def call(self, x: Any, training: bool = False) -> Any:
        batch, height, width, _ = ops.shape(x)
        queries = self._positions(self.query(x, training=training))  # [N, H*W, C/8]
        keys = self._positions(self._pool(self.key(x, training=training)))  # [N, H*W/4, C/8]
        values = self._positions(self._pool(self.value(x, training=training)))  # [N, H*W/4, C/2]
        # Widened before the product, not after: the logits, which are large, are written once, and float16 would
        # overflow in them.
        queries, keys = widen(queries), widen(keys)
        logits = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        record("attention", logits.shape, queries.shape[-1])
        weights = ops.cast(ops.softmax(logits, axis=-1), values.dtype)
        mixed = ops.matmul(weights, values)
        record("attention", mixed.shape, weights.shape[-1])
        y = self.output_projection(ops.reshape(mixed, (batch, height, width, values.shape[-1])), training=training)
        return x + ops.cast(self.gamma, y.dtype) * y

    @staticmethod
    def _pool(x: Any) -> Any:
        return ops.max_pool(x, 2, strides=2, padding="valid")

    @staticmethod
    def _positions(x: Any) -> Any:
        batch, height, width, channels = ops.shape(x)
        return ops.reshape(x, (batch, height * width, channels))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "convolution": self.convolution}
