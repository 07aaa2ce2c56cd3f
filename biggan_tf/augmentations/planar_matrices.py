"""Matrices of affine maps of the plane, one for each row of a batch, for points (x, y, 1) with y downwards."""

from __future__ import annotations

from typing import TypeAlias

from jaxtyping import Float
from keras import ops

from biggan_tf.types import Tensor

PerRow: TypeAlias = Float[Tensor, " N"]
Matrices: TypeAlias = Float[Tensor, "N 3 3"]


def identity(like: PerRow) -> Matrices:
    """The map that moves nothing, as often as `like` has rows."""
    one, zero = ops.ones_like(like), ops.zeros_like(like)
    return _stacked([[one, zero, zero], [zero, one, zero], [zero, zero, one]])


def scaling(x: PerRow, y: PerRow) -> Matrices:
    """Multiplies each coordinate by a factor."""
    one, zero = ops.ones_like(x), ops.zeros_like(x)
    return _stacked([[x, zero, zero], [zero, y, zero], [zero, zero, one]])


def translation(x: PerRow, y: PerRow) -> Matrices:
    """Adds a number to each coordinate."""
    one, zero = ops.ones_like(x), ops.zeros_like(x)
    return _stacked([[one, zero, x], [zero, one, y], [zero, zero, one]])


def rotation(angle: PerRow) -> Matrices:
    """Turns the x axis towards the y axis by an angle in radians."""
    cos, sin, one, zero = ops.cos(angle), ops.sin(angle), ops.ones_like(angle), ops.zeros_like(angle)
    return _stacked([[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]])


def _stacked(rows: list[list[PerRow]]) -> Matrices:
    return ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)
