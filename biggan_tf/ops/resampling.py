"""Convolution beside a change of resolution, done at the lower one.

Doubling by nearest neighbour is putting zeros between the pixels and then a sum over 2x2 positions, and a convolution
commutes with that sum. So doubling and then a 3x3 convolution is one transposed 3x3 convolution of stride 2 and then
the sum, and a 3x3 convolution and then 2x2 averaging is a mean over every 2x2 positions and then one 3x3 convolution
of stride 2: the same values and gradients in exact arithmetic with four times fewer multiplications. A 1x1 convolution
commutes with both. Everything is NHWC with SAME padding; kernels are [k, k, in, out].
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from keras import ops

from biggan_tf.ops.operation_counter import record

# Small positions (batch x height x width) below which turning the kernel costs more than fusing a doubling saves;
# measured on two CPU cores.
FEWEST_POSITIONS = 128

UPSAMPLINGS = ("nearest", "zero_insertion")


def _with_gradient(adjoint: Callable[[Any], Any]) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Gives a linear map of one tensor its adjoint as gradient, which backends would derive to something slower."""

    def decorate(apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @functools.wraps(apply)
        def with_gradient(x: Any) -> Any:
            def gradient(*args: Any, upstream: Any = None) -> Any:
                return adjoint(args[0] if upstream is None else upstream)

            return apply(x), gradient

        return cast(Callable[[Any], Any], ops.custom_gradient(with_gradient))

    return decorate


def upsample(x: Any, how: str = "nearest") -> Any:
    """[N, H, W, C] to [N, 2H, 2W, C]: each pixel repeated, or followed by zeros."""
    return _repeat(x) if how == "nearest" else _insert_zeros(x)


def _insert_zeros(x: Any) -> Any:
    batch, height, width, channels = ops.shape(x)
    x = ops.reshape(x, (batch, height, 1, width, 1, channels))
    x = ops.pad(x, [(0, 0), (0, 0), (0, 1), (0, 0), (0, 1), (0, 0)])
    return ops.reshape(x, (batch, 2 * height, 2 * width, channels))


@_with_gradient(lambda upstream: 4.0 * average_pool(upstream))
def _repeat(x: Any) -> Any:
    batch, height, width, channels = ops.shape(x)
    y = ops.broadcast_to(ops.reshape(x, (batch, height, 1, width, 1, channels)), (batch, height, 2, width, 2, channels))
    return ops.reshape(y, (batch, 2 * height, 2 * width, channels))


def average_pool(x: Any) -> Any:
    """[N, 2H, 2W, C] to [N, H, W, C]."""
    return ops.average_pool(x, 2, strides=2, padding="valid")


def convolve(x: Any, kernel: Any) -> Any:
    """SAME convolution."""
    y = ops.conv(x, kernel, padding="same")
    record("convolution", y.shape, _taps(kernel) * kernel.shape[2])
    return y


def convolve_upsampled(x: Any, kernel: Any, how: str = "nearest", fused: bool = True) -> Any:
    """`convolve(upsample(x), kernel)` for a 3x3 or a 1x1 kernel."""
    if fused and _taps(kernel) == 1:
        return upsample(convolve(x, kernel), how)
    if not fused or not _pays(x):
        return convolve(upsample(x, how), kernel)
    nearest = how == "nearest"
    turned = _turn(kernel, 4.0 if nearest else 1.0)  # The mean below is to be a sum.
    y = ops.conv_transpose(x, turned, strides=2, padding="valid")  # [N, 2H+1, 2W+1, out]
    y = _mean_of_inner(y) if nearest else y[:, 1:, 1:]
    record("convolution", y.shape, 9 * kernel.shape[2] / 4)
    return y


def convolve_pooled(x: Any, kernel: Any, fused: bool = True) -> Any:
    """`average_pool(convolve(x, kernel))` for a 3x3 or a 1x1 kernel."""
    if not fused:
        return average_pool(convolve(x, kernel))
    if _taps(kernel) == 1:
        return convolve(average_pool(x), kernel)
    x = _mean_of_padded(x)  # [N, H+1, W+1, in]
    record("mean", x.shape)
    y = ops.conv(x, kernel, strides=2, padding="valid")
    record("convolution", y.shape, 9 * kernel.shape[2])
    return y


@_with_gradient(lambda upstream: _mean_of_padded(upstream))
def _mean_of_inner(x: Any) -> Any:
    """[N, H, W, C] to [N, H-1, W-1, C]: means of 2x2 neighbours."""
    return ops.average_pool(x, 2, strides=1, padding="valid")


@_with_gradient(_mean_of_inner)
def _mean_of_padded(x: Any) -> Any:
    """[N, H, W, C] to [N, H+1, W+1, C]: means of 2x2 neighbours with a rim of zeros."""
    padded = ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return ops.average_pool(padded, 2, strides=1, padding="valid")


def _pays(x: Any) -> bool:
    """Whether the multiplications saved by fusing a doubling outweigh turning the kernel, which no batch shares."""
    batch, height, width, _ = x.shape
    if batch is None or height is None or width is None:
        return True
    return batch * height * width >= FEWEST_POSITIONS


def _taps(kernel: Any) -> int:
    return int(kernel.shape[0] * kernel.shape[1])


def _turn(kernel: Any, factor: float) -> Any:
    """[3, 3, in, out], times a factor, as a transposed convolution takes it: [3, 3, out, in], by 180 degrees."""
    channels = kernel.shape[2:]
    # A product with a permutation: every backend does it, and its gradient, faster than a flip.
    permutation = ops.cast(factor * np.eye(9)[::-1], kernel.dtype)
    turned = ops.matmul(permutation, ops.reshape(kernel, (9, channels[0] * channels[1])))
    return ops.transpose(ops.reshape(turned, (3, 3, *channels)), (0, 1, 3, 2))
