"""Sums and biases along the channels of NHWC activations, in as few passes over them as possible."""

from __future__ import annotations

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.ops.precision import widen
from biggan_tf.types import Activations, InputShape, Tensor


def num_channels(shape: InputShape) -> int:
    """The size of the last axis, which a layer must know to create its weights."""
    channels = shape[-1]
    if channels is None:
        raise ValueError(f"The last axis of a layer's input must have a known size. Received: shape={shape}")
    return channels


def add_bias(x: Float[Tensor, "*S C"], bias: Float[Tensor, " C"]) -> Float[Tensor, "*S C"]:
    """Adds a bias: x + bias in the dtype of x.

    TensorFlow's own operation sums the gradient of the bias in one pass, and fuses with a convolution before it.
    """
    bias = ops.cast(bias, x.dtype)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return tf.nn.bias_add(x, bias)
    return x + bias


def sum_positions(x: Activations) -> Float[Tensor, "N C"]:
    """The sum over height and width, in the `accumulation_dtype` of x.

    It is a matrix product with ones, which runs faster than a reduction over the two middle axes.
    """
    batch, height, width, channels = ops.shape(x)
    rows = ops.reshape(widen(x), (batch, height * width, channels))
    ones = ops.ones((batch, 1, height * width), rows.dtype)
    return ops.matmul(ones, rows)[:, 0]
