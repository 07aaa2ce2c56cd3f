"""Doubling an image and then a 3x3 convolution, in fewer multiplications and without a transposed convolution.

A transposed convolution computes the same in as few, but TensorFlow's CPU kernel for few channels gives a row another
last bit in batches of other sizes, and for many channels it is slow: it reorders the kernel at every call.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from serving.export.matrix_products import Convolution, Weights, product, weight

# Taps w0, w1, w2 in one direction: output 2i + p sees inputs i + p - 1 and i + p through these sums of them.
_PLACES = {
    "nearest": ([[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]),
    "zero_insertion": ([[0, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 0, 1]]),
}
# With d[i] = x[i] - x[i - 1] and s = w0 + w1 + w2: output 2i is s x[i] - w0 d[i], the next one s x[i] + w2 d[i + 1].
_SHARED = np.array([[1, 1, 1], [-1, 0, 0], [0, 0, 1]], np.float32)


def nine_products(kernel: np.ndarray) -> tuple[Weights, Convolution]:
    """After doubling by nearest neighbour: 9 products for each 2x2 outputs instead of 36 (16 by `four_convolutions`).

    In each direction both outputs share the sum of all taps times x; the rest is single taps times differences of
    neighbours. What remains are 1x1 convolutions at the small size, and additions: it pays from 256 channels on.
    """
    taps = np.einsum("ai,bj,ijco->abco", _SHARED, _SHARED, kernel)  # [3, 3, in, out]
    filters = kernel.shape[-1]
    made = [
        product(taps[0, 0]),
        product(np.concatenate([taps[1, 0], taps[2, 0]], axis=-1)),
        product(np.concatenate([taps[0, 1], taps[0, 2]], axis=-1)),
        product(np.concatenate([taps[1, 1], taps[1, 2], taps[2, 1], taps[2, 2]], axis=-1)),
    ]
    centre, vertical, horizontal, diagonal = (multiply for _, multiply in made)

    def convolve(x: tf.Tensor) -> tf.Tensor:
        height, width = x.shape[1:3]
        below = _differences(x, 1)  # [N, H + 1, W, C]
        c, v = centre(x), vertical(below)
        h, d = horizontal(_differences(x, 2)), diagonal(_differences(below, 2))

        def place(p: int, q: int) -> tf.Tensor:
            own = 2 * p + q
            down = v[:, p : p + height, :, p * filters : (p + 1) * filters]
            across = h[:, :, q : q + width, q * filters : (q + 1) * filters]
            return (c + down) + (across + d[:, p : p + height, q : q + width, own * filters : (own + 1) * filters])

        return _interleave([[place(p, q) for q in (0, 1)] for p in (0, 1)])

    return [part for weights, _ in made for part in weights], convolve


def four_convolutions(kernel: np.ndarray, how: str) -> tuple[Weights, Convolution]:
    """After doubling by `how`: a 2x2 convolution at the small size for each place of the 2x2 outputs."""
    taps = [np.array(rows, np.float32) for rows in _PLACES[how]]
    kernels = [[weight(np.einsum("ai,bj,ijco->abco", a, b, kernel), "kernel") for b in taps] for a in taps]

    def convolve(x: tf.Tensor) -> tf.Tensor:
        def place(p: int, q: int) -> tf.Tensor:
            padding = [[0, 0], [1 - p, p], [1 - q, q], [0, 0]]
            return tf.nn.conv2d(x, tf.cast(kernels[p][q], x.dtype), 1, padding)

        return _interleave([[place(p, q) for q in (0, 1)] for p in (0, 1)])

    return [part for row in kernels for part in row], convolve


def _differences(x: tf.Tensor, axis: int) -> tf.Tensor:
    """x[i] - x[i - 1] along height (1) or width (2), one longer than x; outside of the image are zeros."""
    padded = tf.pad(x, [[0, 0], *([1, 1] if axis == i else [0, 0] for i in (1, 2, 3))])
    return padded[:, 1:] - padded[:, :-1] if axis == 1 else padded[:, :, 1:] - padded[:, :, :-1]


def _interleave(places: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
    """[N, H, W, C] for each place p, q of the outputs to [N, 2H, 2W, C]."""
    height, width, filters = places[0][0].shape[1:]
    stacked = tf.stack([tf.concat(row, axis=-1) for row in places], axis=2)  # [N, H, 2, W, 2C]
    return tf.reshape(stacked, [-1, 2 * height, 2 * width, filters])
