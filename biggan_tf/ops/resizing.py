"""Antialiased resizing of images by any factor as two matrix products, which equals Pillow's before it rounds.

Along one axis, from n pixels to m, with the scale s = n / m, the kernel k and t = max(s, 1), by which the kernel is
widened where an image gets smaller, so that what is too fine for the small image is averaged and does not turn into
other patterns:

    y[i] = sum_j w[i, j] x[j],    w[i, j] = k((j + 1/2 - (i + 1/2) s) / t) / sum_j k(...).

The sum takes the pixels that there are, so the edges need no padding.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import SmallImages, Tensor


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys's kernel with a = -1/2 (Keys 1981, equation 15)."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x**2 + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _lanczos(x: np.ndarray) -> np.ndarray:
    """Three lobes: sinc(x) sinc(x / 3) for |x| < 3."""
    return np.where(np.abs(x) < 3.0, np.sinc(x) * np.sinc(x / 3.0), 0.0)


_KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bilinear": _triangle,
    "bicubic": _cubic,
    "lanczos": _lanczos,
}
METHODS = tuple(_KERNELS)


def resized(images: SmallImages, height: int, width: int, method: str = "bicubic") -> Float[Tensor, "N H W 3"]:
    """Resizes images, in their `accumulation_dtype`.

    Args:
        images: The images; height and width must be known while the function is traced.
        height: The height of the result.
        width: The width of the result.
        method: One of `METHODS`.
    """
    dtype = accumulation_dtype(images.dtype)
    rows, columns = (
        ops.convert_to_tensor(_matrix(int(old), new, method), dtype)
        for old, new in zip(images.shape[1:3], (height, width), strict=True)
    )
    return ops.einsum("ah,nhwc,bw->nabc", rows, ops.cast(images, dtype), columns)


def enlarged(images: SmallImages, factor: int) -> Float[Tensor, "N H W 3"]:
    """Images that are a whole number of times as large, by the bicubic kernel."""
    return resized(images, factor * images.shape[1], factor * images.shape[2])


def reduced(images: Float[Tensor, "N H W 3"], factor: int, method: str = "bicubic") -> SmallImages:
    """Images that are a whole number of times as small, rounded to the 256 grey levels that a file would hold.

    Without the rounding a network would learn to read digits of the small image that no file has.

    Args:
        images: The images, in [-1, 1]; the factor divides their height and width.
        factor: How many times as small.
        method: One of `METHODS`.
    """
    small = resized(images, images.shape[1] // factor, images.shape[2] // factor, method)
    return ops.clip(ops.round((small + 1.0) * 127.5), 0.0, 255.0) / 127.5 - 1.0


@functools.lru_cache
def _matrix(old: int, new: int, method: str) -> Float[np.ndarray, "new old"]:
    """The weights w of one axis, see the module."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    offsets = np.arange(old)[None, :] + 0.5 - centres[:, None]
    weights = _KERNELS[method](offsets / max(scale, 1.0))
    return weights / weights.sum(axis=1, keepdims=True)
