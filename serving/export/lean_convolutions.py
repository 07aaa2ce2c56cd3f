"""Chooses for each convolution of an export the arrangement that is fastest, and the same for a row in any batch."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.ops import resampling
from serving.export.matrix_products import Convolution, Weights, product
from serving.export.upsampled_convolutions import four_convolutions, nine_products
from serving.export.winograd import winograd

# From this many input channels on, multiplications saved outweigh additions made; measured on two cores, 64 to 1,024.
_MANY_CHANNELS = 256


def make_lean(layer: SNConv2D) -> Weights:
    """Rearranges a convolution whose kernel is divided by sigma already; only the layer's `call` changes.

    Returns:
        What the layer now uses in the place of its kernel; empty where it was left as it is.
    """
    weights, convolve = _arrange(layer)
    if convolve is None:
        return []
    run = convolve

    def call(x: Any, training: bool = False) -> Any:
        y = run(x)
        return y + tf.cast(layer.bias[: layer.used_filters], y.dtype) if layer.use_bias else y

    setattr(layer, "call", call)  # noqa: B010  mypy takes `layer.call = call` for a mistake
    return weights


def _arrange(layer: SNConv2D) -> tuple[Weights, Convolution | None]:
    kernel = layer.kernel.numpy()[..., : layer.used_filters]
    how, many = layer.resampling, kernel.shape[2] >= _MANY_CHANNELS
    if layer.kernel_size == 1:
        weights, multiply = product(kernel[0, 0])
        return weights, multiply if how is None else lambda x: resampling.upsample(multiply(x), how)
    if how is None:
        # In bfloat16 the transforms' sums would lose digits that a direct convolution keeps.
        return winograd(kernel) if many and layer.compute_dtype == "float32" else ([], None)
    return nine_products(kernel) if many and how == "nearest" else four_convolutions(kernel, how)
