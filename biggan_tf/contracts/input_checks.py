"""Checks of what networks are called with, whose errors say what is wrong and what to do.

Shapes and dtypes are checked while a function is traced too; the values of labels only where they can be read, not in a
graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.types import DType, Tensor


def check_rank(name: str, tensor: Tensor, rank: int, last: int) -> None:
    """Raises ValueError unless a tensor has a number of axes, and a size of the last one.

    Args:
        name: What the error calls the tensor.
        tensor: The tensor.
        rank: How many axes it must have.
        last: The size that the last axis must have.
    """
    shape = tuple(tensor.shape)
    if len(shape) != rank or shape[-1] != last:
        raise ValueError(f"{name} must have {rank} axes, the last of size {last}. Received: shape {shape}")


def check_images(images: Tensor, resolution: int | None) -> None:
    """Raises ValueError unless images are floating-point numbers of the shape [N, resolution, resolution, 3].

    Args:
        images: The images. A size that is not known while a function is traced is accepted.
        resolution: The height and width that they must have; None: any height and any width.
    """
    shape = tuple(images.shape)
    wanted = (resolution, resolution, 3)
    fits = len(shape) == 4 and all(
        got == want or None in (got, want) for got, want in zip(shape[1:], wanted, strict=True)
    )
    if not fits:
        sizes = "H, W" if resolution is None else f"{resolution}, {resolution}"
        raise ValueError(
            f"images must be NHWC of shape (N, {sizes}, 3). Received: shape {shape}"
            + ("; transpose them from NCHW" if len(shape) == 4 and shape[1] == 3 else "")
        )
    dtype = _dtype_of(images)
    if "float" not in dtype:
        raise ValueError(
            f"images must be floating-point numbers in [-1, 1]. Received: {dtype}; "
            "divide bytes by 127.5 and subtract 1."
        )


def check_labels(labels: Tensor | Sequence[int], num_classes: int) -> None:
    """Raises ValueError unless labels are a vector of integers in 0 ... num_classes - 1.

    Args:
        labels: The labels. While a function is traced their shape and dtype alone are checked.
        num_classes: How many classes there are.
    """
    shape = _shape_of(labels)
    if len(shape) != 1:
        raise ValueError(f"labels must be a vector of integers, one for each row. Received: shape {shape}")
    dtype = _dtype_of(labels)
    if "int" not in dtype:
        raise ValueError(
            f"labels must be integers. Received: {dtype}; for a mixture of classes give weights, a row of them each."
        )
    values = _readable(labels)
    if values is None:
        return
    wrong = values[(values < 0) | (values >= num_classes)]
    if wrong.size:
        raise ValueError(
            f"labels must lie in 0 ... {num_classes - 1}. Received: {sorted(set(wrong.tolist()))[:5]}; "
            "labels are 0-based, in sorted class order."
        )


def are_weights(labels: Tensor | Sequence[int], num_classes: int) -> bool:
    """Whether what is given in the place of labels are weights for the classes.

    Labels are a vector with the class of each row, as an integer. Weights are a matrix that says how much of each class
    a row has: a row of it for each row of the batch, and a column for each class.

    Args:
        labels: The labels or the weights.
        num_classes: How many classes there are.

    Raises:
        ValueError: If it is a matrix that has not a column for each class.
    """
    shape = _shape_of(labels)
    if len(shape) == 2 and shape[1] not in (None, num_classes):
        raise ValueError(
            f"Labels must be a vector, or weights with a column for each of {num_classes} classes. Received: shape "
            f"{shape}; give a vector with the class of each row."
        )
    return len(shape) == 2


def class_weights(labels: Tensor | Sequence[int], num_classes: int, dtype: DType) -> Float[Tensor, "N classes"]:
    """Labels or weights as a row of weights for the classes.

    Args:
        labels: The class of each row, which becomes a 1 among zeros; or a row of weights each, which stay as they are.
        num_classes: How many classes there are.
        dtype: The dtype of the result.

    Raises:
        ValueError: If the labels are neither.
    """
    if are_weights(labels, num_classes):
        return ops.cast(ops.convert_to_tensor(labels), dtype)
    check_labels(labels, num_classes)
    return ops.one_hot(ops.convert_to_tensor(labels), num_classes, dtype=dtype)


def is_traced(labels: Tensor | Sequence[int]) -> bool:
    """Whether the values of labels cannot be read, since a function is traced."""
    return _readable(labels) is None


def _shape_of(tensor: Tensor | Sequence[int]) -> tuple[int | None, ...]:
    return tuple(tensor.shape) if hasattr(tensor, "shape") else np.shape(tensor)


def _dtype_of(tensor: Tensor | Sequence[int]) -> str:
    """The name of a dtype, such as "float32"."""
    dtype = tensor.dtype if hasattr(tensor, "dtype") else np.asarray(tensor).dtype
    return dtype if isinstance(dtype, str) else str(dtype.name)


def _readable(labels: Tensor | Sequence[int]) -> np.ndarray | None:
    """The values of labels; None while a function is traced."""
    if isinstance(labels, np.ndarray | list | tuple):
        return np.asarray(labels)
    try:
        return np.asarray(labels.numpy() if hasattr(labels, "numpy") else labels)
    except (NotImplementedError, AttributeError, TypeError, ValueError):
        return None
