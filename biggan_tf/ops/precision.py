"""The dtype that weights are held in and sums are taken in, whatever the activations are stored in."""

from __future__ import annotations

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.types import DType, Tensor


def accumulation_dtype(dtype: DType) -> str:
    """float64 for float64, float32 for everything narrower.

    Under the policies float32, mixed_bfloat16, mixed_float16 and float64 this is Keras's `variable_dtype`. Weights,
    batch statistics, the logits of attention and of the discriminator, losses and images have it.

    Args:
        dtype: The `compute_dtype` of a layer, or the dtype of a tensor.
    """
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


def widen(x: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """`x` in its `accumulation_dtype`."""
    x = ops.convert_to_tensor(x)
    return ops.cast(x, accumulation_dtype(x.dtype))
