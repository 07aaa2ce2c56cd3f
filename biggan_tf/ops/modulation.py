"""Convolutions whose kernel is scaled for each image by its style (Karras et al. 2020, arXiv:1912.04958, section 2.2).

With the kernel w, the style s of an image, input channel i, output channel o and kernel position k,

    w'_iok = s_i w_iok                              (equation 1: modulation)
    w''_iok = w'_iok / sqrt(sum_ik w'_iok^2 + eps)  (equation 3: demodulation)

and the image is convolved with w''. Because s belongs to the inputs and the divisor d_o to the outputs, that equals

    d_o * (w * (s_i x_i)),   d_o = 1 / sqrt(sum_i s_i^2 sum_k w_iok^2 + eps)

which is one convolution of the whole batch with the same kernel. The published code convolves each image with the
kernel of its own, w'', in one convolution with a group of channels for each image, and so needs more memory.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from keras import ops

from biggan_tf.ops import fir
from biggan_tf.ops.fir_convolution import convolve, convolve_upsampled
from biggan_tf.ops.precision import widen
from biggan_tf.types import Kernel, Tensor

EPSILON = 1e-8
_NARROW = ("float16", "bfloat16")


def modulated_convolution(
    x: Float[Tensor, "N H W I"],
    kernel: Kernel,
    styles: Float[Tensor, "N I"],
    demodulate: bool = True,
    upsample_taps: fir.Taps | None = None,
    squares: Float[Tensor, "I O"] | None = None,
) -> Float[Tensor, "N H2 W2 O"]:
    """Scales the inputs, convolves, scales the outputs.

    Args:
        x: The activations.
        kernel: The kernel, the same for all images.
        styles: A factor for each input channel of each image.
        demodulate: Whether the outputs are divided so that they have the deviation of the inputs.
        upsample_taps: Doubles the image, with this filter; None: the size stays.
        squares: `squared_kernel` of the kernel, from a caller that has computed it once and has brought the kernel into
            float16's range by `in_range`; None: both are done here.
    """
    if demodulate and x.dtype in _NARROW:
        # Demodulation undoes any scale of the kernel and of a style, so they can be brought into float16's range.
        kernel = in_range(kernel) if squares is None else kernel
        styles = styles / ops.max(ops.abs(styles), axis=1, keepdims=True)
    y = _convolve(x * styles[:, None, None, :], kernel, upsample_taps)
    if not demodulate:
        return y
    divisor = demodulation(squared_kernel(kernel) if squares is None else squares, styles)
    return y * ops.cast(divisor, y.dtype)[:, None, None, :]


def in_range(kernel: Kernel) -> Kernel:
    """The kernel with the largest weight of each output channel at 1 / sqrt(n), where n = k k I weights are summed.

    With styles up to 1 a result is then at most sqrt(n) times the largest input; stylegan2-ada-pytorch does the same.
    """
    largest = ops.max(ops.abs(kernel), axis=(0, 1, 2), keepdims=True)
    # One factor for all weights of an output channel: demodulation undoes what it is rounded by.
    return kernel * (1.0 / math.sqrt(math.prod(kernel.shape[:3])) / largest)


def squared_kernel(kernel: Kernel) -> Float[Tensor, "I O"]:
    """sum_k w_iok^2, in the `accumulation_dtype`."""
    return ops.sum(ops.square(widen(kernel)), axis=(0, 1))


def demodulation(squares: Float[Tensor, "I O"], styles: Float[Tensor, "N I"]) -> Float[Tensor, "N O"]:
    """d_no = 1 / sqrt(sum_i s_ni^2 sum_k w_iok^2 + eps), in the `accumulation_dtype`; `squares` are the inner sums."""
    return ops.rsqrt(ops.matmul(ops.square(widen(styles)), squares) + EPSILON)


def _convolve(
    x: Float[Tensor, "N H W I"], kernel: Kernel, upsample_taps: fir.Taps | None
) -> Float[Tensor, "N H2 W2 O"]:
    return convolve(x, kernel) if upsample_taps is None else convolve_upsampled(x, kernel, upsample_taps)
