"""What the networks demand of their inputs; shapes are checked while tracing, label values where they can be read."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_rank(name: str, tensor: Any, rank: int, last: int) -> None:
    """`tensor` must have `rank` axes, the last of size `last`."""
    shape = tuple(tensor.shape)
    if len(shape) != rank or shape[-1] != last:
        raise ValueError(f"{name} must have {rank} axes, the last of size {last}. Received: shape {shape}")


def check_images(images: Any, resolution: int) -> None:
    """[N, resolution, resolution, 3]; sizes that are unknown while tracing pass."""
    shape = tuple(images.shape)
    wanted = (resolution, resolution, 3)
    known = len(shape) == 4 and all(got in (None, want) for got, want in zip(shape[1:], wanted, strict=True))
    if not known:
        raise ValueError(
            f"images must be NHWC of shape (N, {resolution}, {resolution}, 3). Received: shape {shape}"
            + ("; transpose them from NCHW" if len(shape) == 4 and shape[1] == 3 else "")
        )


def check_labels(labels: Any, num_classes: int) -> None:
    """Integers in 0 ... num_classes - 1, [N]; inside a traced function only the shape can be checked."""
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


def _readable(labels: Any) -> np.ndarray | None:
    """The values, unless they are symbolic."""
    if isinstance(labels, np.ndarray | list | tuple):
        return np.asarray(labels)
    try:
        return np.asarray(labels.numpy() if hasattr(labels, "numpy") else labels)
    except (NotImplementedError, AttributeError, TypeError, ValueError):
        return None
