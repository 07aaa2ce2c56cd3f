"""Orthogonal regularisation of raw kernels (Brock et al. 2018, arXiv:1809.11096, equation 3)."""

from __future__ import annotations

from typing import Any

from keras import ops

from biggan_tf.ops.precision import widen


def orthogonal_penalty(kernel: Any, strength: float, rows_first: bool = False) -> Any:
    """Strength / 2 * |W W^T * (1 - I)|^2 (Frobenius), W's rows being the kernel's outputs.

    Args:
        kernel: [..., out], or [out, ...] if `rows_first` (an embedding).
        strength: The paper: 1e-4.
        rows_first: Which axis the rows are on.

    Returns:
        A scalar in the kernel's `accumulation_dtype`, of which `orthogonal_gradient` is the gradient.
    """
    rows = _rows(kernel, rows_first)
    return 0.5 * strength * ops.sum(ops.square(_off_diagonal(rows)))


def orthogonal_gradient(kernel: Any, strength: float, rows_first: bool = False) -> Any:
    """Strength * 2 * (W W^T * (1 - I)) W, in the kernel's shape: what is added to the gradient of the loss."""
    rows = _rows(kernel, rows_first)
    gradient = 2.0 * strength * ops.matmul(_off_diagonal(rows), rows)
    return ops.reshape(gradient if rows_first else ops.transpose(gradient), kernel.shape)


def _rows(kernel: Any, rows_first: bool) -> Any:
    kernel = widen(kernel)
    if rows_first:
        return ops.reshape(kernel, (kernel.shape[0], -1))
    return ops.transpose(ops.reshape(kernel, (-1, kernel.shape[-1])))


def _off_diagonal(rows: Any) -> Any:
    gram = ops.matmul(rows, ops.transpose(rows))
    return gram * (1.0 - ops.eye(gram.shape[0], dtype=gram.dtype))
