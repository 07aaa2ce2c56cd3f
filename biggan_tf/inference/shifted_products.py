"""3x3 convolution of a small image as three matrix products."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from biggan_tf.inference.matrix_products import Convolution, Weights, weight


def shifted_products(kernel: np.ndarray) -> tuple[Weights, Convolution]:
    """A convolution with padding SAME as three matrix products.

    Each position is joined with its left and right neighbours, [H + 2, W, 3 in]; the three rows of the kernel are then
    one product each with rows 0 to H - 1, 1 to H and 2 to H + 1, which are views of the same memory. Up to 8x8
    positions that is faster than a convolution kernel, which reorders its weights at every call.

    Args:
        kernel: [3, 3, in, out].

    Returns:
        The weights of the convolution, and the convolution.
    """
    inputs, filters = kernel.shape[2:]
    # Two are negated and subtracted: TensorFlow would make one AddN of a tree of additions (see `winograd`).
    signs = (1, -1, -1)
    rows = [weight(sign * row.reshape(3 * inputs, filters), "row") for sign, row in zip(signs, kernel, strict=True)]

    def convolve(x: tf.Tensor) -> tf.Tensor:
        height, width = x.shape[1:3]
        padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        neighbours = tf.concat([padded[:, :, b : b + width] for b in range(3)], axis=-1)  # [N, H + 2, W, 3 in]

        def multiply(a: int) -> tf.Tensor:
            part = neighbours[0][a : a + height] if x.shape[0] == 1 else neighbours[:, a : a + height]
            return tf.matmul(tf.reshape(part, [-1, 3 * inputs]), tf.cast(rows[a], x.dtype))

        return tf.reshape((multiply(0) - multiply(1)) - multiply(2), [-1, height, width, filters])

    return list(rows), convolve
