"""Spectral norm by power iteration (Miyato et al. 2018, arXiv:1802.05957, algorithm 1)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def normalise(vector: Any, epsilon: float, additive: bool = False) -> Any:
    """A vector of length one.

    Args:
        vector: Any shape, float32 or float64.
        epsilon: Guards the division.
        additive: Divide by |x| + epsilon (the Hub's modules) instead of max(|x|, epsilon).
    """
    length = ops.sqrt(ops.sum(ops.square(vector)))
    return vector / (length + epsilon if additive else ops.maximum(length, epsilon))


def singular_value(matrix: Any, u: Any, epsilon: float, additive: bool = False) -> tuple[Any, Any]:
    """One power iteration: the largest singular value and the next u.

    The gradient reaches `matrix` through sigma; u and v are constants.

    Args:
        matrix: [rest, out], float32 or float64.
        u: [1, out], the estimate so far.
        epsilon: For the two normalisations.
        additive: See `normalise`.

    Returns:
        sigma, a scalar, and the new u, [1, out].
    """
    constant = keras.ops.stop_gradient(matrix)
    v = normalise(ops.matmul(u, ops.transpose(constant)), epsilon, additive)
    v = ops.stop_gradient(v)
    projected = ops.matmul(v, matrix)  # [1, out]
    new_u = normalise(ops.stop_gradient(projected), epsilon, additive)
    return ops.sum(projected * new_u), new_u
