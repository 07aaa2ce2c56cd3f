"""What noise maps must stay like while a picture is searched for (Karras et al. 2020, arXiv:1912.04958, appendix D).

A search that may change the noise of a layer freely would draw the picture into it. So the maps are kept to what noise
is: numbers of mean 0 and variance 1 that do not depend on their neighbours, at any scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import tensorflow as tf
from jaxtyping import Float

from biggan_tf.types import Scalar, Tensor

_SMALLEST = 8  # the height of the last map of a pyramid


def pyramid(noise: Float[Tensor, "N _ _ 1"]) -> Iterator[Float[Tensor, "N _ _ 1"]]:
    """A map, and from it maps of half the height each, down to 8 pixels, which have the same variance."""
    yield noise
    while noise.shape[1] > _SMALLEST:
        # The mean of four independent numbers has a quarter of their variance, and twice the mean has all of it.
        noise = 2.0 * tf.nn.avg_pool2d(noise, 2, 2, "VALID")
        yield noise


def correlation(maps: Sequence[Float[Tensor, "N _ _ 1"]]) -> Scalar:
    """How much the numbers of the maps depend on their neighbours, summed over the maps and their pyramids.

    L_ij = (mean of n(x, y) n(x - 1, y))^2 + (mean of n(x, y) n(x, y - 1))^2 for the map i at level j of its pyramid,
    where the last row and column are the neighbours of the first ones.

    Args:
        maps: The noise of each layer.
    """
    total = tf.zeros((), maps[0].dtype)
    for noise in maps:
        for level in pyramid(noise):
            for axis in (1, 2):
                total += tf.square(tf.reduce_mean(level * tf.roll(level, 1, axis)))
    return total


def normalised(noise: Float[Tensor, "N _ _ 1"]) -> Float[Tensor, "N _ _ 1"]:
    """A map with mean 0 and variance 1, as it is after each step."""
    mean, variance = tf.nn.moments(noise, axes=[1, 2, 3], keepdims=True)
    return (noise - mean) / tf.sqrt(variance)
