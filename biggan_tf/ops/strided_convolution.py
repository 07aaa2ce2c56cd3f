"""Convolutions of stride 2 and their transposes, whose gradient by the kernel is six matrix products."""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float
from keras import ops

from biggan_tf.ops.convolution_form import ConvolutionForm
from biggan_tf.types import Kernel, Tensor


def convolve_halving(x: Float[Tensor, "N H W I"], kernel: Kernel) -> Float[Tensor, "N H2 W2 O"]:
    """The convolution at every second position at which the kernel lies inside of the image."""
    if not _FORM.pays(x, kernel):
        return ops.conv(x, kernel, strides=2, padding="valid")
    return _FORM.convolve(x, ops.convert_to_tensor(kernel, x.dtype))


def convolve_doubling(x: Float[Tensor, "N H W I"], kernel: Kernel) -> Float[Tensor, "N H2 W2 O"]:
    """The kernel times each pixel, at every second position of an image of 2H + 1 rows: a transposed convolution."""
    turned = ops.transpose(kernel, (0, 1, 3, 2))
    if not _FORM.pays(x, kernel):
        return ops.conv_transpose(x, turned, strides=2, padding="valid")
    batch, height, width, _ = ops.shape(x)
    shape = (batch, 2 * height + 1, 2 * width + 1, turned.shape[2])
    return _FORM.adjoint(x, ops.convert_to_tensor(turned, x.dtype), ops.convert_to_tensor(shape, "int32"))


def _views(x: Float[Tensor, "N H W I"], rows: int, columns: int) -> Iterator[Float[Tensor, "N P Q C"]]:
    inputs = x.shape[3]
    x = ops.pad(x[:, : 2 * rows + 1, : 2 * columns + 1], [(0, 0), (0, 1), (0, 1), (0, 0)])
    # Neighbouring columns become one pixel of twice the channels: what a tap sees is then next to each other in memory.
    pairs = ops.reshape(x, (-1, rows + 1, 2, columns + 1, 2 * inputs))
    for a in range(3):
        line = pairs[:, a // 2 : a // 2 + rows, a % 2]
        yield line[:, :, :columns]  # by the taps b = 0 and 1
        yield line[:, :, 1:, :inputs]  # by b = 2


_FORM = ConvolutionForm(
    stride=2,
    padding="VALID",
    views=_views,
    smallest={"float32": 64 * 128, "float64": 64 * 128, "bfloat16": 128 * 256},
)
