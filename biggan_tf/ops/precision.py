"""The dtype that weights are held in and sums are taken in, whatever the activations are stored in."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def accumulation_dtype(dtype: Any) -> str:
    """float64 for float64, float32 for everything narrower.

    Under the policies float32, mixed_bfloat16, mixed_float16 and float64 this is Keras's `variable_dtype`. Weights,
    batch statistics, attention's logits, the discriminator's logits, losses and images have it.

    Args:
        dtype: A layer's `compute_dtype`, or a tensor's dtype.
    """
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


def widen(x: Any) -> Any:
    """`x` in its `accumulation_dtype`."""
    x = ops.convert_to_tensor(x)
    return ops.cast(x, accumulation_dtype(x.dtype))
