"""Products of activations and weights that do not change, the building block of the convolutions of an export."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf

Weights: TypeAlias = list[tf.Variable]
Convolution: TypeAlias = Callable[[tf.Tensor], tf.Tensor]  # from activations to activations, without a bias


def weight(value: np.ndarray, name: str) -> tf.Variable:
    """A weight of an export, which is not trained and lies contiguously in memory.

    Args:
        value: Its value.
        name: Its name in the SavedModel.
    """
    return tf.Variable(np.ascontiguousarray(value), trainable=False, name=name)


def product(matrix: np.ndarray) -> tuple[Weights, Convolution]:
    """A 1x1 convolution: activations [..., in] times a matrix.

    Args:
        matrix: [in, out].

    Returns:
        The weights of the convolution, and the convolution.
    """
    factor = weight(matrix, "matrix")

    def multiply(x: tf.Tensor) -> tf.Tensor:
        y = tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), tf.cast(factor, x.dtype))
        return tf.reshape(y, [-1, *x.shape[1:-1], matrix.shape[1]])

    return [factor], multiply
