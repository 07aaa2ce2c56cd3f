"""Which tensor of a foreign file is which variable of ours, and what it takes to turn one into the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from biggan_tf.interop.weights_file_error import WeightsFileError

_MAX_LISTED = 12


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _to_hwio(array: np.ndarray) -> np.ndarray:
    return array.transpose(2, 3, 1, 0)


def _to_oihw(array: np.ndarray) -> np.ndarray:
    return array.transpose(3, 2, 0, 1)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One tensor.

    Attributes:
        name: In the file.
        variable: Of the network.
        to_keras: The file's layout to ours.
        to_torch: And back.
    """

    name: str
    variable: Any
    to_keras: Callable[[np.ndarray], np.ndarray] = _same
    to_torch: Callable[[np.ndarray], np.ndarray] = _same


def convolution(name: str, variable: Any) -> Entry:
    """[out, in, h, w] and [h, w, in, out]."""
    return Entry(name, variable, _to_hwio, _to_oihw)


def dense(name: str, variable: Any) -> Entry:
    """[out, in] and [in, out]."""
    return Entry(name, variable, np.transpose, np.transpose)


def row(name: str, variable: Any) -> Entry:
    """A vector in the file, [1, n] here."""
    return Entry(name, variable, lambda array: array.reshape(1, -1), np.ravel)


def scalar(name: str, variable: Any) -> Entry:
    """Shape () or (1,) in the file, () here."""
    return Entry(name, variable, lambda array: array.reshape(()) if array.size == 1 else array)


def outputs_channels_last(entry: Entry, channels: int) -> Entry:
    """For a first linear layer whose outputs the file orders [channels, 4, 4] where ours are [4, 4, channels]."""

    def reorder(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        outputs = array.reshape(*array.shape[:-1], *shape)
        return np.swapaxes(outputs, -1, -2).reshape(array.shape)

    def to_keras(array: np.ndarray) -> np.ndarray:
        ours = entry.to_keras(array)
        return reorder(ours, (channels, -1)) if ours.shape and ours.shape[-1] % channels == 0 else ours

    return dataclasses.replace(
        entry, to_keras=to_keras, to_torch=lambda array: entry.to_torch(reorder(array, (-1, channels)))
    )


def assign(
    entries: Sequence[Entry], tensors: Mapping[str, np.ndarray], source: str, ignored: Sequence[str] = ()
) -> None:
    """Sets every variable from its tensor, or none of them.

    Args:
        entries: The map.
        tensors: The file's.
        source: What to call the file in an error.
        ignored: Endings of names that carry nothing we need.

    Raises:
        WeightsFileError: Naming whatever is missing, left over, or of another shape.
    """
    problems, values = [], []
    for entry in entries:
        if entry.name not in tensors:
            problems.append(f"missing: {entry.name}, for {entry.variable.path} of shape {tuple(entry.variable.shape)}")
            continue
        array = np.asarray(tensors[entry.name])
        try:
            value = np.asarray(entry.to_keras(array), entry.variable.dtype)
        except ValueError:
            value = array
        if value.shape != tuple(entry.variable.shape):
            problems.append(
                f"shape: {entry.name} is {array.shape}, {entry.variable.path} needs {tuple(entry.variable.shape)}"
            )
        values.append(value)
    known = {entry.name for entry in entries}
    for name in sorted(set(tensors) - known):
        if not name.endswith(tuple(ignored)):
            problems.append(f"left over: {name} of shape {np.shape(tensors[name])}")
    if problems:
        more = f"\n  ... and {len(problems) - _MAX_LISTED} more" if len(problems) > _MAX_LISTED else ""
        raise WeightsFileError(
            f"The tensors must fit the network that they describe. Received: {source}, in which\n  "
            + "\n  ".join(problems[:_MAX_LISTED])
            + more
        )
    for entry, value in zip(entries, values, strict=True):
        entry.variable.assign(value)


def extract(entries: Sequence[Entry]) -> dict[str, np.ndarray]:
    """The variables' values under the file's names and in its layout."""
    return {entry.name: np.ascontiguousarray(entry.to_torch(np.asarray(entry.variable))) for entry in entries}
