"""Products of activations and weights that come out the same for a row, however many rows there are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

Weights = list[tf.Variable]
Convolution = Callable[[tf.Tensor], tf.Tensor]

# TensorFlow's CPU kernels cut longer sums into pieces that depend on the number of rows.
LONGEST_SUM = 512


def weight(value: np.ndarray, name: str) -> tf.Variable:
    """A weight of an export: fixed, and contiguous in memory."""
    return tf.Variable(np.ascontiguousarray(value), trainable=False, name=name)


def product(matrix: np.ndarray) -> tuple[Weights, Convolution]:
    """A 1x1 convolution: [..., in] times `matrix` [in, out], summed over at most `LONGEST_SUM` inputs at a time."""
    ends = range(LONGEST_SUM, len(matrix), LONGEST_SUM)
    weights = [weight(part, "matrix") for part in np.split(matrix, list(ends))]
    sizes = [int(part.shape[0]) for part in weights]

    def multiply(x: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(x, [-1, x.shape[-1]])
        parts = tf.split(flat, sizes, axis=1) if len(sizes) > 1 else [flat]
        y = tf.matmul(parts[0], tf.cast(weights[0], x.dtype))
        for part, rows in zip(parts[1:], weights[1:], strict=True):
            y += tf.matmul(part, tf.cast(rows, x.dtype))
        return tf.reshape(y, [-1, *x.shape[1:-1], matrix.shape[1]])

    return weights, multiply
