"""Convolution beside a change of resolution, fused into one strided convolution.

Doubling by nearest neighbour and then a 3x3 convolution is one 4x4 transposed convolution of stride 2; a 3x3
convolution and then 2x2 averaging is one 4x4 convolution of stride 2. Both 4x4 kernels are linear in the 3x3 one, so
values and gradients are the same in exact arithmetic with 2.25 times fewer multiplications; a 1x1 convolution commutes
with both, which saves 4 times. Everything is NHWC with SAME padding; kernels are [k, k, in, out].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from biggan_tf.ops.operation_counter import record

# Rows: taps of the 4-kernel; columns: taps of the 3-kernel it sums.
_NEAREST_TAPS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)
_ZERO_INSERTION_TAPS = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]], np.float32)
_POOLING_TAPS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], np.float32) / 2

# Small positions (batch x height x width) below which fusing costs more than it saves; measured on two CPU cores.
FEWEST_POSITIONS = 1024

UPSAMPLINGS = ("nearest", "zero_insertion")


def upsample(x: Any, how: str = "nearest") -> Any:
    """[N, H, W, C] to [N, 2H, 2W, C]: each pixel repeated, or followed by zeros."""
    return _repeat(x) if how == "nearest" else _insert_zeros(x)


def _insert_zeros(x: Any) -> Any:
    batch, height, width, channels = ops.shape(x)
    x = ops.reshape(x, (batch, height, 1, width, 1, channels))
    x = ops.pad(x, [(0, 0), (0, 0), (0, 1), (0, 0), (0, 1), (0, 0)])
    return ops.reshape(x, (batch, 2 * height, 2 * width, channels))


@ops.custom_gradient
def _repeat(x: Any) -> Any:
    """Its gradient is a pooled sum, which every backend does faster than the sum over a broadcast axis."""
    batch, height, width, channels = ops.shape(x)
    y = ops.broadcast_to(ops.reshape(x, (batch, height, 1, width, 1, channels)), (batch, height, 2, width, 2, channels))

    def gradient(*args: Any, upstream: Any = None) -> Any:
        return 4.0 * average_pool(args[0] if upstream is None else upstream)

    return ops.reshape(y, (batch, 2 * height, 2 * width, channels)), gradient


def average_pool(x: Any) -> Any:
    """[N, 2H, 2W, C] to [N, H, W, C]."""
    return ops.average_pool(x, 2, strides=2, padding="valid")


def convolve(x: Any, kernel: Any, strides: int = 1) -> Any:
    """SAME convolution."""
    y = ops.conv(x, kernel, strides=strides, padding="same")
    record("convolution", y.shape, _taps(kernel) * kernel.shape[2])
    return y


def convolve_upsampled(x: Any, kernel: Any, how: str = "nearest", fused: bool = True) -> Any:
    """`convolve(upsample(x), kernel)` for a 3x3 or a 1x1 kernel."""
    if not fused:
        return convolve(upsample(x, how), kernel)
    if _taps(kernel) == 1:
        return upsample(convolve(x, kernel), how)
    if not _pays(x):
        return convolve(upsample(x, how), kernel)
    taps = _NEAREST_TAPS if how == "nearest" else _ZERO_INSERTION_TAPS
    y = ops.conv_transpose(x, _expand(kernel, taps, transposed=True), strides=2, padding="same")
    record("convolution", y.shape, 4 * kernel.shape[2])
    return y


def convolve_pooled(x: Any, kernel: Any, fused: bool = True) -> Any:
    """`average_pool(convolve(x, kernel))` for a 3x3 or a 1x1 kernel."""
    if not fused:
        return average_pool(convolve(x, kernel))
    if _taps(kernel) == 1:
        return convolve(average_pool(x), kernel)
    if not _pays(x, pooled=True):
        return average_pool(convolve(x, kernel))
    return convolve(x, _expand(kernel, _POOLING_TAPS), strides=2)


def _pays(x: Any, pooled: bool = False) -> bool:
    """Whether the multiplications saved outweigh making a kernel of 16 taps from one of 9, which no batch shares."""
    batch, height, width, _ = x.shape
    if batch is None or height is None or width is None:
        return True
    return batch * height * width // (4 if pooled else 1) >= FEWEST_POSITIONS


def _taps(kernel: Any) -> int:
    return int(kernel.shape[0] * kernel.shape[1])


def _expand(kernel: Any, taps: np.ndarray, transposed: bool = False) -> Any:
    """[3, 3, in, out] to [4, 4, in, out], or to [4, 4, out, in] for a transposed convolution."""
    channels = kernel.shape[2:]
    matrix = ops.cast(np.kron(taps, taps), kernel.dtype)  # [16, 9]
    expanded = ops.matmul(matrix, ops.reshape(kernel, (9, channels[0] * channels[1])))
    expanded = ops.reshape(expanded, (4, 4, *channels))
    return ops.transpose(expanded, (0, 1, 3, 2)) if transposed else expanded
