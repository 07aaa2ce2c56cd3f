"""Chooses for each convolution of an export the way to compute it that is fastest."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import Float

from biggan_tf.contracts.inference import EXACT, FAST
from biggan_tf.inference.folding import replace_call
from biggan_tf.inference.matrix_products import Convolution, Weights, product
from biggan_tf.inference.shifted_products import shifted_products
from biggan_tf.inference.upsampled_convolutions import nine_products, transposed
from biggan_tf.inference.winograd import winograd
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.ops import resampling
from biggan_tf.types import Activations, Tensor

# Heights, and input channels, where one arrangement overtakes another for a single row. They are a compromise between
# processors with AVX2 and with AVX-512, with oneDNN and without it: each alone would draw the lines a little elsewhere.
_LARGE_SIZE = 32
_MIDDLE_SIZE = 16
_SMALL_SIZE = 8
_MANY_CHANNELS = 128
_SOME_CHANNELS = 64
# The same for batches, where a convolution kernel spreads its own costs over the rows.
_MANY_CHANNELS_IN_BATCHES = 256


def make_lean(layer: SNConv2D, rows: str = EXACT) -> Weights:
    """Rearranges a convolution whose kernel is divided by sigma already; only the layer's `call` changes.

    Args:
        layer: Built for the height that it will see.
        rows: "exact": it will see one row at a time; "fast": batches.

    Returns:
        What the layer now uses in the place of its kernel; empty where it was left as it is.
    """
    weights, convolve = _arrange(layer, rows == FAST)
    if convolve is None:
        return []
    run = convolve

    def call(x: Activations, training: bool = False) -> Float[Tensor, "N _ _ _"]:
        y = run(x)
        return y + tf.cast(layer.bias[: layer.used_filters], y.dtype) if layer.use_bias else y

    replace_call(layer, call)
    return weights


def _arrange(layer: SNConv2D, batches: bool) -> tuple[Weights, Convolution | None]:
    kernel = layer.kernel.numpy()[..., : layer.used_filters]
    how, size = layer.resampling, layer.get_build_config()["input_shape"][1]
    if layer.kernel_size == 1:
        weights, multiply = product(kernel[0, 0])
        return weights, multiply if how is None else lambda x: resampling.upsample(multiply(x), how)
    if how == "filtered":
        return [], None
    many = kernel.shape[2] >= _MANY_CHANNELS_IN_BATCHES
    if how is None:
        return _plain(kernel, size, layer.compute_dtype, batches)
    if how == "nearest" and (many if batches else size < _LARGE_SIZE):
        return nine_products(kernel)
    return transposed(kernel, how)


def _plain(kernel: np.ndarray, size: int, dtype: str, batches: bool) -> tuple[Weights, Convolution | None]:
    inputs, filters = kernel.shape[2:]
    fewest = _SOME_CHANNELS if size >= _MIDDLE_SIZE else _MANY_CHANNELS
    if batches:
        fewest = _MANY_CHANNELS_IN_BATCHES
    pays = inputs >= fewest and size >= _SMALL_SIZE
    # In bfloat16 the transforms' sums would lose digits that a direct convolution keeps. Three filters are the colours.
    if pays and filters > 3 and dtype == "float32":
        return winograd(kernel)
    if size <= _SMALL_SIZE and not batches:
        return shifted_products(kernel)
    return [], None
