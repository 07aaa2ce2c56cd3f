"""StyleGAN3's modulated convolution, whose kernel and styles are normalised first (arXiv:2106.12423, appendix D).

With the kernel w of I input channels and k x k positions, the style s of an image and the gain g of the inputs,

    v_iko = w_iko / sqrt(mean_ik w_iko^2),    t_i = s_i / sqrt(mean_i s_i^2)
    w'_iko = g t_i v_iko / sqrt(sum_ik (t_i v_iko)^2 + eps)

and the image is convolved with w', with zeros around it so that it grows by k - 1 pixels. The published code takes the
mean of s^2 over all images of the batch. Here it is that of one image, so that no image depends on the others. Because
of the division by the root of the sum the factor of t cancels but for eps, which is 1e-8 against a sum near I k^2: the
two differ by about 1e-10 of the result.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from keras import ops

from biggan_tf.ops.fir_convolution import convolve_full
from biggan_tf.ops.modulation import EPSILON
from biggan_tf.ops.precision import widen
from biggan_tf.types import Kernel, Scalar, Tensor


def normalised_modulated_convolution(
    x: Float[Tensor, "N H W I"],
    kernel: Kernel,
    styles: Float[Tensor, "N I"],
    demodulate: bool = True,
    input_gain: Scalar | float = 1.0,
) -> Float[Tensor, "N H2 W2 O"]:
    """Scales the inputs, convolves, scales the outputs.

    Args:
        x: The activations.
        kernel: The kernel, the same for all images, in the dtype that it is stored in or that of `x`.
        styles: A factor for each input channel of each image.
        demodulate: Whether kernel and styles are normalised and the outputs divided, as the module's formulas say;
            without, the image is convolved with g s_i w_iko.
        input_gain: g.
    """
    kernel, styles = widen(kernel), widen(styles)
    if not demodulate:
        return convolve_full(_scaled(x, styles * input_gain), ops.cast(kernel, x.dtype))
    # Divided by sqrt(sum w^2) in place of sqrt(mean w^2), which keeps sums of products within float16's range. So eps
    # is divided by the number of products, too.
    products = math.prod(kernel.shape[:3])
    kernel = kernel * ops.rsqrt(ops.sum(ops.square(kernel), axis=(0, 1, 2), keepdims=True))
    styles = styles * ops.rsqrt(ops.mean(ops.square(styles), axis=1, keepdims=True))
    squares = ops.matmul(ops.square(styles), ops.sum(ops.square(kernel), axis=(0, 1)))  # [N, O]
    y = convolve_full(_scaled(x, styles * input_gain), ops.cast(kernel, x.dtype))
    return _scaled(y, ops.rsqrt(squares + EPSILON / products))


def _scaled(x: Float[Tensor, "N H W C"], factors: Float[Tensor, "N C"]) -> Float[Tensor, "N H W C"]:
    return x * ops.cast(factors, x.dtype)[:, None, None, :]
