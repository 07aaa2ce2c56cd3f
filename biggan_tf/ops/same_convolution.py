"""Convolutions that keep an image's size. Of many channels, their gradient by the kernel is nine matrix products."""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.ops.convolution_form import ConvolutionForm
from biggan_tf.types import Kernel, Tensor


def convolve_same(x: Float[Tensor, "N H W I"], kernel: Kernel) -> Float[Tensor, "N H W O"]:
    """The kernel at every position, with zeros around the image."""
    if not _FORM.pays(x, kernel):
        return ops.conv(x, kernel, padding="same")
    return _FORM.convolve(x, ops.convert_to_tensor(kernel, x.dtype))


def _views(x: Float[Tensor, "N H W I"], rows: int, columns: int) -> list[Float[Tensor, "N H W I"]]:
    x = ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return [x[:, a : a + rows, b : b + columns] for a in range(3) for b in range(3)]


_FORM = ConvolutionForm(
    stride=1,
    padding="SAME",
    views=_views,
    smallest={"float32": 512 * 512, "float64": 512 * 512, "bfloat16": 512 * 512},
)
