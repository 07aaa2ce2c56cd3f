"""Bilinear sampling of images at any places, with zeros outside of them."""

from __future__ import annotations

from typing import TypeAlias

from jaxtyping import Float, Int
from keras import ops

from biggan_tf.ops.linear_maps import LinearMap, with_adjoint
from biggan_tf.types import Activations, Tensor

Places: TypeAlias = Float[Tensor, "N P"]  # along one axis, in pixels; pixel i lies at the place i
Sampled: TypeAlias = Float[Tensor, "N P C"]


def sample_bilinear(images: Activations, rows: Places, columns: Places) -> Sampled:
    """The values of images between their pixels: the mean of the four pixels around each place, the nearer the heavier.

    A pixel outside of the image counts as 0. No gradient goes to the places.

    Args:
        images: The images; height and width must be known while the function is traced.
        rows: The vertical place of each sample.
        columns: The horizontal place of each sample.
    """
    height, width, channels = images.shape[1:]
    count = ops.shape(images)[0]
    above, left = ops.floor(rows), ops.floor(columns)
    first = ops.cast(ops.arange(count), "int32")[:, None] * (height * width)
    corners = []
    for down, right in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)):
        row, column = above + down, left + right
        weight = (1.0 - ops.abs(rows - row)) * (1.0 - ops.abs(columns - column))
        is_inside = (row >= 0.0) & (row < height) & (column >= 0.0) & (column < width)
        weight = ops.where(is_inside, weight, ops.zeros_like(weight))
        # Whole numbers before the product, since float32 holds every one of them up to 2^24 alone.
        row, column = (
            ops.cast(ops.clip(place, 0, size - 1), "int32") for place, size in ((row, height), (column, width))
        )
        corners.append((ops.reshape(first + row * width + column, (-1,)), ops.reshape(weight, (-1, 1))))
    flat = ops.reshape(images, (-1, channels))
    values = _weighted_sums(corners, count * height * width)(flat)
    return ops.reshape(values, (count, -1, channels))


def _weighted_sums(
    corners: list[tuple[Int[Tensor, " K"], Float[Tensor, "K 1"]]], num_pixels: int | Tensor
) -> LinearMap:
    """The linear map from pixels [M, C] to samples [K, C], with its adjoint, which adds samples up into pixels."""

    def gather(pixels: Float[Tensor, "M C"]) -> Float[Tensor, "K C"]:
        return sum(ops.take(pixels, places, axis=0) * weights for places, weights in corners)

    def scatter(samples: Float[Tensor, "K C"]) -> Float[Tensor, "M C"]:
        values = ops.concatenate([samples * weights for _, weights in corners])
        places = ops.concatenate([places for places, _ in corners])
        return ops.segment_sum(values, places, num_segments=num_pixels)

    # Each is the other's adjoint, so that second derivatives, such as R1's, take the same two operations.
    differentiable_gather: LinearMap = with_adjoint(lambda samples: differentiable_scatter(samples))(gather)
    differentiable_scatter: LinearMap = with_adjoint(lambda pixels: differentiable_gather(pixels))(scatter)
    return differentiable_gather
