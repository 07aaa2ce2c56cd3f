"""A convolution as one of three maps that are each other's gradients, so that the third may be computed another way.

With a kernel k of 3x3 taps, images x and results y, a convolution of stride s is a derivative of a form that is linear
in each of its arguments, and so are its adjoint and its gradient by the kernel:

    T(x, k, y) = sum over n, p, q, a, b, i, o of x[n, s p + a, s q + b, i] k[a, b, i, o] y[n, p, q, o]

    convolve(x, k) = dT/dy,   adjoint(y, k) = dT/dx,   correlate(x, y) = dT/dk

The gradient of each is given by the other two, and gradients of gradients by all three. All images are NHWC.

oneDNN computes the first two near the processor's limit, and the third often not. The table says how many times as
long its gradient by the kernel takes as the products of this package, on 2 cores of an AMD EPYC with AVX-512 and
bfloat16 units, with as many channels in as out unless it says otherwise:

    stride  images  pixels out  channels     float32  bfloat16
    1       50      4x4         1,024        2.7      3.9
    1       50      8x8         1,024        1.5      3.1
    1       4       64x64       512          2.3      1.2
    1       8       8x8         512          1.0      1.5
    1       50      16x16       256          .9       .9
    2       50      4x4         1,024        3.2      6.4
    2       50      8x8         1,024        2.2      2.9
    2       50      16x16       256          1.3      1.3
    2       8       64x64       192 to 96    2.2      1.0
    2       8       32x32       64 to 128    1.0      1.1
    2       8       64x64       16           .3       .3
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.types import Kernel, Tensor

Inputs: TypeAlias = Float[Tensor, "N H W I"]
Results: TypeAlias = Float[Tensor, "N P Q O"]


@dataclasses.dataclass(frozen=True)
class ConvolutionForm:
    """The three maps of one stride and padding, where `products` computes the gradient by the kernel.

    Attributes:
        stride: The distance of the positions at which the kernel lies.
        padding: "SAME" surrounds the image with zeros, as many on each side; "VALID" adds none.
        views: Returns of (x, P, Q) what the taps of the kernel see, tap after tap: `[N, P, Q, I]` of one tap, or
            `[N, P, Q, 2 I]` of two.
        smallest: For each dtype in which `products` is faster, from how many channels in times channels out on.
    """

    stride: int
    padding: str
    views: Callable[[Inputs, int, int], Iterable[Tensor]]
    smallest: Mapping[str, int]

    def pays(self, x: Float[Tensor, "N H W C"], kernel: Kernel) -> bool:
        """Whether the maps of this form are faster than the backend's own: never but for TensorFlow on a CPU."""
        if keras.config.backend() != "tensorflow" or tuple(kernel.shape[:2]) != (3, 3):
            return False
        smallest = self.smallest.get(keras.backend.standardize_dtype(x.dtype))
        is_known = None not in tuple(x.shape[1:3])
        return smallest is not None and is_known and math.prod(kernel.shape[2:]) >= smallest and not _has_accelerator()

    def convolve(self, x: Inputs, kernel: Kernel) -> Results:
        """dT/dy."""
        import tensorflow as tf

        @tf.custom_gradient
        def convolve(x: Tensor, kernel: Tensor) -> tuple[Tensor, object]:
            y = tf.nn.conv2d(x, kernel, self.stride, self.padding)
            return y, lambda dy: (self.adjoint(dy, kernel, tf.shape(x)), self.correlate(x, dy))

        return convolve(x, kernel)

    def adjoint(self, y: Results, kernel: Kernel, shape: Tensor) -> Inputs:
        """dT/dx, of the given shape: a transposed convolution."""
        import tensorflow as tf

        @tf.custom_gradient
        def adjoint(y: Tensor, kernel: Tensor) -> tuple[Tensor, object]:
            x = tf.nn.conv2d_transpose(y, kernel, shape, self.stride, self.padding)
            return x, lambda dx: (self.convolve(dx, kernel), self.correlate(dx, y))

        return adjoint(y, kernel)

    def correlate(self, x: Inputs, y: Results) -> Kernel:
        """dT/dk."""
        import tensorflow as tf

        @tf.custom_gradient
        def correlate(x: Tensor, y: Tensor) -> tuple[Tensor, object]:
            return self.products(x, y), lambda dk: (self.adjoint(y, dk, tf.shape(x)), self.convolve(x, dk))

        return correlate(x, y)

    def products(self, x: Inputs, y: Results) -> Kernel:
        """dT/dk as the sums over all positions of y, one matrix product for each view."""
        rows, columns, outputs = y.shape[1:]
        pixels = ops.reshape(y, (-1, outputs))
        parts = [
            ops.matmul(ops.transpose(ops.reshape(seen, (-1, seen.shape[3]))), pixels)
            for seen in self.views(x, rows, columns)
        ]
        return ops.reshape(ops.concatenate(parts, axis=0), (3, 3, x.shape[3], outputs))


@functools.cache
def _has_accelerator() -> bool:
    """Whether convolutions run on a GPU or TPU, whose own gradients are fast."""
    import tensorflow as tf

    return any(device.device_type != "CPU" for device in tf.config.list_logical_devices())
