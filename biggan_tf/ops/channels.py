"""Sums and scales along channels, in the fewest passes over the activations (NHWC)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.ops.precision import widen


def add_bias(x: Any, bias: Any) -> Any:
    """X + bias [C]; TensorFlow's own operation sums its gradient in one pass and fuses with a convolution."""
    bias = ops.cast(bias, x.dtype)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return tf.nn.bias_add(x, bias)
    return x + bias


def sum_positions(x: Any) -> Any:
    """[N, H, W, C] to [N, C] in x's `accumulation_dtype`: a matrix product with ones, faster than a reduction."""
    batch, height, width, channels = ops.shape(x)
    rows = ops.reshape(widen(x), (batch, height * width, channels))
    ones = ops.ones((batch, 1, height * width), rows.dtype)
    return ops.matmul(ones, rows)[:, 0]
