"""Convolutions that double or halve an image with a FIR filter (Karras et al. 2020, arXiv:1912.04958, appendix B)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.ops import fir
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.same_convolution import convolve_same
from biggan_tf.ops.strided_convolution import convolve_doubling, convolve_halving
from biggan_tf.types import Activations, Kernel, Tensor


def convolve(x: Float[Tensor, "N H W I"], kernel: Kernel) -> Float[Tensor, "N H W O"]:
    """The kernel alone, with zeros around the image."""
    return _recorded(convolve_same(x, kernel), kernel)


def convolve_full(x: Float[Tensor, "N H W I"], kernel: Kernel) -> Float[Tensor, "N H2 W2 O"]:
    """The kernel at every position that meets a pixel: an image grows by the kernel's size less 1."""
    margin = kernel.shape[0] - 1
    if margin:
        x = ops.pad(x, [(0, 0), (margin, margin), (margin, margin), (0, 0)])
    return _recorded(ops.conv(x, kernel, padding="valid"), kernel)


def convolve_upsampled(x: Float[Tensor, "N H W I"], kernel: Kernel, taps: fir.Taps) -> Float[Tensor, "N 2*H 2*W O"]:
    """Zeros after each pixel, then the kernel, then the filter.

    The kernel is applied as a transposed convolution: as a true convolution and not as a correlation, as in the
    published code and so in published weights.
    """
    if kernel.shape[0] == 1:
        return fir.upsample(convolve(x, kernel), taps)
    y = convolve_doubling(x, kernel)  # [N, 2H+1, 2W+1, O]
    # Of the 4 positions of a pixel and the zeros after it only one meets a given entry of the kernel.
    _recorded(y, kernel, 0.25)
    # The filter lies as in `fir.upsample`, on an image that the kernel has made larger by a pixel at each end.
    above, beside = (((n + 1) // 2 - 1, (n - 2) // 2) for n in fir.num_taps(taps))
    return fir.upfirdn(y, taps, padding=(above, beside), gain=4.0)


def convolve_downsampled(x: Float[Tensor, "N H W I"], kernel: Kernel, taps: fir.Taps) -> Float[Tensor, "N H//2 W//2 O"]:
    """The filter, then the kernel at every second position."""
    if kernel.shape[0] == 1:
        return convolve(fir.downsample(x, taps), kernel)
    half = kernel.shape[0] // 2
    above, beside = ((half + (n - 1) // 2, half + (n - 2) // 2) for n in fir.num_taps(taps))
    x = fir.upfirdn(x, taps, padding=(above, beside))
    return _recorded(convolve_halving(x, kernel), kernel)


def _recorded(y: Activations, kernel: Float[Tensor, "k k I C"], share: float = 1.0) -> Activations:
    record("convolution", y.shape, share * float(np.prod(kernel.shape[:3])))
    return y
