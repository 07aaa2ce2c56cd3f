"""Computes a 3x3 convolution after an image was doubled with fewer multiplications than one after the other takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from biggan_tf.inference.matrix_products import Convolution, Weights, product, weight

# With d[i] = x[i] - x[i - 1] and s = w0 + w1 + w2: output 2i is s x[i] - w0 d[i], the next one s x[i] + w2 d[i + 1].
_SHARED = np.array([[1, 1, 1], [-1, 0, 0], [0, 0, 1]], np.float32)


def nine_products(kernel: np.ndarray) -> tuple[Weights, Convolution]:
    """A convolution after doubling by nearest neighbour, with 9 products instead of 36 for each 2x2 outputs.

    In each direction the two outputs share the sum of all taps times x; what they add to it is single taps times
    differences of neighbours, see `_SHARED`. So there are matrix products at the small size, and additions.

    Args:
        kernel: [3, 3, in, out].

    Returns:
        The weights of the convolution, and the convolution from the small image to the doubled one.
    """
    taps = np.einsum("ai,bj,ijco->abco", _SHARED, _SHARED, kernel)  # [3, 3, in, out]
    filters = kernel.shape[-1]
    # Two are negated, so that their results are subtracted: of a tree of additions TensorFlow makes one AddN, whose
    # order depends on the threads (see `winograd`).
    products = [
        product(taps[0, 0]),
        product(-np.concatenate([taps[1, 0], taps[2, 0]], axis=-1)),
        product(-np.concatenate([taps[0, 1], taps[0, 2]], axis=-1)),
        product(np.concatenate([taps[1, 1], taps[1, 2], taps[2, 1], taps[2, 2]], axis=-1)),
    ]
    centre, vertical, horizontal, diagonal = (multiply for _, multiply in products)

    def convolve(x: tf.Tensor) -> tf.Tensor:
        height, width = x.shape[1:3]
        below = _differences(x, 1)  # [N, H + 1, W, C]
        c, v = centre(x), vertical(below)
        h, d = horizontal(_differences(x, 2)), diagonal(_differences(below, 2))

        def place(p: int, q: int) -> tf.Tensor:
            own = 2 * p + q
            down = v[:, p : p + height, :, p * filters : (p + 1) * filters]
            across = h[:, :, q : q + width, q * filters : (q + 1) * filters]
            return (c - down) - (across - d[:, p : p + height, q : q + width, own * filters : (own + 1) * filters])

        return _interleave([[place(p, q) for q in (0, 1)] for p in (0, 1)])

    return [part for weights, _ in products for part in weights], convolve


def transposed(kernel: np.ndarray, how: str) -> tuple[Weights, Convolution]:
    """A convolution after doubling as a transposed convolution of stride 2, with 9 products for each 2x2 outputs.

    Zero insertion and then a convolution is a transposed convolution with the kernel turned by 180 degrees. Doubling by
    nearest neighbour is zero insertion and then a sum over 2x2 positions, which can as well follow the convolution.

    Args:
        kernel: [3, 3, in, out].
        how: How the image is doubled, "nearest" or "zero_insertion".

    Returns:
        The weights of the convolution, and the convolution from the small image to the doubled one.
    """
    turned = weight(kernel[::-1, ::-1].transpose(0, 1, 3, 2), "kernel")
    filters = kernel.shape[-1]

    def convolve(x: tf.Tensor) -> tf.Tensor:
        batch = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
        size = [batch, 2 * x.shape[1] + 1, 2 * x.shape[2] + 1, filters]
        y = tf.nn.conv2d_transpose(x, tf.cast(turned, x.dtype), size, 2, "VALID")
        return y[:, 1:, 1:] if how == "zero_insertion" else 4.0 * tf.nn.avg_pool2d(y, 2, 1, "VALID")

    return [turned], convolve


def _differences(x: tf.Tensor, axis: int) -> tf.Tensor:
    """x[i] - x[i - 1] along height (1) or width (2), one longer than x; outside of the image are zeros."""
    padded = tf.pad(x, [[0, 0], *([1, 1] if axis == i else [0, 0] for i in (1, 2, 3))])
    return padded[:, 1:] - padded[:, :-1] if axis == 1 else padded[:, :, 1:] - padded[:, :, :-1]


def _interleave(places: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
    """[N, H, W, C] for each place p, q of the outputs to [N, 2H, 2W, C]."""
    height, width, filters = places[0][0].shape[1:]
    stacked = tf.stack([tf.concat(row, axis=-1) for row in places], axis=2)  # [N, H, 2, W, 2C]
    return tf.reshape(stacked, [-1, 2 * height, 2 * width, filters])
