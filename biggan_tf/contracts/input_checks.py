"""Checks of what networks are called with, whose errors say what is wrong and what to do.

Shapes are checked while a function is traced too; the values of labels only where they can be read, not in a graph.
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


def check_images(images: Tensor, resolution: int) -> None:
    """Raises ValueError unless images have the shape [N, resolution, resolution, 3].

    Args:
        images: The images. A size that is not known while a function is traced is accepted.
        resolution: The height and width that they must have.
    """
    shape = tuple(images.shape)
    wanted = (resolution, resolution, 3)
    fits = len(shape) == 4 and all(got in (None, want) for got, want in zip(shape[1:], wanted, strict=True))
    if not fits:
        raise ValueError(
            f"images must be NHWC of shape (N, {resolution}, {resolution}, 3). Received: shape {shape}"
            + ("; transpose them from NCHW" if len(shape) == 4 and shape[1] == 3 else "")
        )


def check_labels(labels: Tensor | Sequence[int], num_classes: int) -> None:
    """Raises ValueError unless labels are a vector of integers in 0 ... num_classes - 1.

    Args:
        labels: The labels. While a function is traced only their shape is checked.
        num_classes: How many classes there are.
    """
    shape = tuple(labels.shape) if hasattr(labels, "shape") else np.shape(labels)
    if len(shape) != 1:
        raise ValueError(f"labels must be a vector of integers, one for each image. Received: shape {shape}")
    values = _readable(labels)
    if values is None:
        return
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"labels must be integers. Received: {values.dtype}; for a mixture of classes pass an embedding."
        )
    wrong = values[(values < 0) | (values >= num_classes)]
    if wrong.size:
        raise ValueError(
            f"labels must lie in 0 ... {num_classes - 1}. Received: {sorted(set(wrong.tolist()))[:5]}; "
            "labels are 0-based, in sorted class order."
        )


def are_weights(labels: Tensor | Sequence[int], num_classes: int) -> bool:
    """Whether labels have a row of weights for the classes in the place of each class."""
    shape = tuple(labels.shape) if hasattr(labels, "shape") else np.shape(labels)
    return len(shape) == 2 and shape[1] == num_classes


def check_classes(labels: Tensor | Sequence[int], num_classes: int, dtype: DType) -> Float[Tensor, "N classes"]:
    """Labels or weights as a row of weights for the classes.

    Args:
        labels: The class of each row, which becomes a 1 among zeros; or a row of weights each, which stay as they are.
        num_classes: How many classes there are.
        dtype: Of the result.

    Raises:
        ValueError: If the labels are neither.
    """
    shape = tuple(labels.shape) if hasattr(labels, "shape") else np.shape(labels)
    if len(shape) == 2 and shape[1] == num_classes:
        return ops.cast(ops.convert_to_tensor(labels), dtype)
    if len(shape) == 2:
        raise ValueError(f"A row of weights must have one for each of {num_classes} classes. Received: shape {shape}")
    check_labels(labels, num_classes)
    return ops.one_hot(ops.convert_to_tensor(labels), num_classes, dtype=dtype)


def _readable(labels: Tensor | Sequence[int]) -> np.ndarray | None:
    """The values of labels; None while a function is traced."""
    if isinstance(labels, np.ndarray | list | tuple):
        return np.asarray(labels)
    try:
        return np.asarray(labels.numpy() if hasattr(labels, "numpy") else labels)
    except (NotImplementedError, AttributeError, TypeError, ValueError):
        return None
