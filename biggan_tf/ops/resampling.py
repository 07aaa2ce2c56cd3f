"""Doubling or halving an image together with a convolution, so that the convolution runs at the lower resolution.

Write K for a convolution, Z for putting a zero after each pixel in both directions, B for the sum over every 2x2
neighbouring positions, and S for keeping every second position in both directions. Then doubling by nearest neighbour
is B Z, and averaging over 2x2 pixels is S B / 4. Convolutions commute, so

    K (B Z x)   = B (K Z) x           K Z is one transposed convolution of stride 2
    S B / 4 K x = (S K) (B / 4 x)     S K is one convolution of stride 2

with the same values and gradients in exact arithmetic and a quarter of the multiplications, because a 3x3 convolution
no longer multiplies repeated pixels or zeros, nor computes pixels that are then averaged. A 1x1 convolution commutes
with the doubling and with the averaging themselves. All images are NHWC and all convolutions pad them with zeros to
the same size (SAME).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.ops import fir, fir_convolution
from biggan_tf.ops.linear_maps import with_adjoint
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.strided_convolution import convolve_doubling, convolve_halving
from biggan_tf.types import Activations, Kernel, Tensor

# From how many positions (batch x height x width of the small image) on fusing a doubling is faster. Below, the kernel
# costs more to turn around than the fused convolution saves. Measured on two CPU cores.
FEWEST_POSITIONS = 128

UPSAMPLINGS = ("nearest", "zero_insertion", "filtered")
POOLINGS = ("mean", "filtered")
_TAPS = fir.binomial()  # of what is filtered
convolve = fir_convolution.convolve  # K x

Doubled: TypeAlias = Float[Tensor, "N 2*H 2*W C"]


def upsample(x: Activations, upsampling: str = "nearest") -> Doubled:
    """Doubles height and width.

    Args:
        x: The images.
        upsampling: "nearest" repeats each pixel, "zero_insertion" puts zeros after it, as compare_gan does, and
            "filtered" smooths these with the filter (1, 3, 3, 1) of StyleGAN2, so that no copies of low frequencies
            remain among the high ones.
    """
    if upsampling == "filtered":
        return fir.upsample(x, _TAPS)
    return _repeat(x) if upsampling == "nearest" else _insert_zeros(x)


def _insert_zeros(x: Activations) -> Doubled:
    """Z x: each pixel becomes the upper left one of 2x2, the others of which are 0."""
    batch, height, width, channels = ops.shape(x)
    x = ops.reshape(x, (batch, height, 1, width, 1, channels))
    x = ops.pad(x, [(0, 0), (0, 0), (0, 1), (0, 0), (0, 1), (0, 0)])
    return ops.reshape(x, (batch, 2 * height, 2 * width, channels))


@with_adjoint(lambda upstream: 4.0 * average_pool(upstream))  # (B Z)^T is the sum over each pixel's 2x2 copies
def _repeat(x: Activations) -> Doubled:
    """B Z x: each pixel becomes 2x2 equal ones."""
    batch, height, width, channels = ops.shape(x)
    y = ops.broadcast_to(ops.reshape(x, (batch, height, 1, width, 1, channels)), (batch, height, 2, width, 2, channels))
    return ops.reshape(y, (batch, 2 * height, 2 * width, channels))


def average_pool(x: Activations) -> Float[Tensor, "N H//2 W//2 C"]:
    """S B / 4 x: halves height and width, each pixel being the mean of 2x2."""
    return ops.average_pool(x, 2, strides=2, padding="valid")


def pool(x: Activations, pooling: str = "mean") -> Float[Tensor, "N H//2 W//2 C"]:
    """Halves height and width.

    Args:
        x: The images.
        pooling: "mean" takes the mean of 2x2 pixels, and "filtered" every second pixel of the image that was smoothed
            with the filter (1, 3, 3, 1), which lets less of the high frequencies through to appear as low ones.
    """
    if pooling not in POOLINGS:
        raise ValueError(
            f"pooling must be one of {', '.join(POOLINGS)}. Received: pooling={pooling!r}; choose one of them."
        )
    return fir.downsample(x, _TAPS) if pooling == "filtered" else average_pool(x)


def convolve_upsampled(
    x: Float[Tensor, "N H W I"], kernel: Kernel, upsampling: str = "nearest", fused: bool = True
) -> Float[Tensor, "N 2*H 2*W O"]:
    """`convolve(upsample(x, upsampling), kernel)`.

    "filtered" lets the kernel come before the filter, as StyleGAN2 does: K and the filter commute but at the edges,
    where the filter then sees what the kernel has spread beyond the image. The kernel lies as in `ops.conv`.

    Args:
        x: The images before they are doubled.
        kernel: The kernel, of size 3x3 or 1x1.
        upsampling: "nearest", "zero_insertion" or "filtered", see `upsample`.
        fused: Whether to convolve at the lower resolution where that is faster. False does what the formula says. It
            has no effect with "filtered", which always applies the kernel at the lower resolution.
    """
    if fused and _kernel_positions(kernel) == 1:
        return upsample(convolve(x, kernel), upsampling)
    if upsampling == "filtered":
        return fir_convolution.convolve_upsampled(x, ops.flip(kernel, axis=(0, 1)), _TAPS)
    if not fused or not _fusing_saves_time(x):
        return convolve(upsample(x, upsampling), kernel)
    nearest = upsampling == "nearest"
    # K Z x; for nearest then B K Z x, for which the kernel is multiplied by the 4 that the mean divides by.
    turned = _turn(kernel, 4.0 if nearest else 1.0)
    y = convolve_doubling(x, turned)  # [N, 2H+1, 2W+1, out]
    y = _mean_of_inner(y) if nearest else y[:, 1:, 1:]
    record("convolution", y.shape, 9 * kernel.shape[2] / 4)
    return y


def convolve_pooled(
    x: Float[Tensor, "N H W I"], kernel: Kernel, fused: bool = True, pooling: str = "mean"
) -> Float[Tensor, "N H//2 W//2 O"]:
    """`pool(convolve(x, kernel), pooling)`.

    "filtered" filters first and then applies the kernel at every second position, as StyleGAN2 does, which is the same
    but at the edges.

    Args:
        x: The images, of even height and width.
        kernel: The kernel, of size 3x3 or 1x1.
        fused: Whether to convolve at the lower resolution. False does what the formula says. It has no effect with
            "filtered", which always applies the kernel at the lower resolution.
        pooling: "mean" or "filtered", see `pool`.
    """
    if pooling == "filtered":
        return fir_convolution.convolve_downsampled(x, kernel, _TAPS)
    if not fused:
        return average_pool(convolve(x, kernel))
    if _kernel_positions(kernel) == 1:
        return convolve(average_pool(x), kernel)
    # (S K) (B / 4 x)
    x = _mean_of_padded(x)  # [N, H+1, W+1, in]
    record("mean", x.shape)
    y = convolve_halving(x, kernel)
    record("convolution", y.shape, 9 * kernel.shape[2])
    return y


@with_adjoint(lambda upstream: _mean_of_padded(upstream))
def _mean_of_inner(x: Activations) -> Float[Tensor, "N H-1 W-1 C"]:
    """B / 4 x: the mean over every 2x2 neighbours."""
    return ops.average_pool(x, 2, strides=1, padding="valid")


@with_adjoint(_mean_of_inner)
def _mean_of_padded(x: Activations) -> Float[Tensor, "N H+1 W+1 C"]:
    """B / 4 x, where zeros surround the image."""
    padded = ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return ops.average_pool(padded, 2, strides=1, padding="valid")


def _fusing_saves_time(x: Activations) -> bool:
    """Whether a doubling is fused: the kernel must be turned once for each call, however small the batch is."""
    batch, height, width, _ = x.shape
    if batch is None or height is None or width is None:
        return True
    return batch * height * width >= FEWEST_POSITIONS


def _kernel_positions(kernel: Kernel) -> int:
    return int(kernel.shape[0] * kernel.shape[1])


def _turn(kernel: Float[Tensor, "3 3 I O"], factor: float) -> Float[Tensor, "3 3 I O"]:
    """The kernel times a factor, turned by 180 degrees, as a transposed convolution takes it."""
    channels = kernel.shape[2:]
    # A product with a permutation: every backend does it, and its gradient, faster than a flip.
    permutation = ops.cast(factor * np.eye(9)[::-1], kernel.dtype)
    turned = ops.matmul(permutation, ops.reshape(kernel, (9, channels[0] * channels[1])))
    return ops.reshape(turned, (3, 3, *channels))
