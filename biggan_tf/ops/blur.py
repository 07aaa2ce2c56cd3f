"""A blur whose width may be a tensor: products with matrices, whose shape does not depend on the width."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.types import Images, Scalar, Tensor


def blur(images: Images, sigma: Scalar | float, largest_sigma: float) -> Images:
    """Filters images along both axes with f_k = 2^(-(k / sigma)^2), |k| <= 3 sigma, divided by its sum.

    Outside of the images there are zeros. Below sigma = 1/3 only f_0 is left, and the images stay as they are.

    Args:
        images: The images.
        sigma: The distance in pixels at which the filter has fallen to a half.
        largest_sigma: What `sigma` is never above; it decides how many taps are summed.
    """
    # `ops.cast` would round a Python number to float32 first.
    dtype = None if hasattr(sigma, "dtype") else images.dtype
    width: Tensor = ops.cast(ops.convert_to_tensor(sigma, dtype), images.dtype)
    reach = np.arange(-math.floor(3 * largest_sigma), math.floor(3 * largest_sigma) + 1)
    total = ops.sum(_filter(reach, width))
    rows, columns = (
        _filter(np.arange(size)[:, None] - np.arange(size)[None, :], width) / total for size in images.shape[1:3]
    )
    return ops.einsum("ij,njkc,lk->nilc", rows, images, columns)


def _filter(distances: np.ndarray, sigma: Scalar) -> Float[Tensor, "*S"]:
    """f_k before the division, for each distance k."""
    k = ops.convert_to_tensor(distances, sigma.dtype)
    # A sigma of 0 leaves k = 0 alone, whose power is 1 whatever it is divided by.
    powers = ops.exp(-math.log(2.0) * ops.square(k / ops.maximum(sigma, 0.1)))
    return ops.where(ops.abs(k) <= 3 * sigma, powers, ops.zeros_like(powers))
