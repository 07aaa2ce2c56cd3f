"""Products of activations and fixed weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

Weights = list[tf.Variable]
Convolution = Callable[[tf.Tensor], tf.Tensor]


def weight(value: np.ndarray, name: str) -> tf.Variable:
    """A weight of an export: fixed, and contiguous in memory."""
    return tf.Variable(np.ascontiguousarray(value), trainable=False, name=name)


def product(matrix: np.ndarray) -> tuple[Weights, Convolution]:
    """A 1x1 convolution: [..., in] times `matrix` [in, out]."""
    factor = weight(matrix, "matrix")

    def multiply(x: tf.Tensor) -> tf.Tensor:
        y = tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), tf.cast(factor, x.dtype))
        return tf.reshape(y, [-1, *x.shape[1:-1], matrix.shape[1]])

    return [factor], multiply
