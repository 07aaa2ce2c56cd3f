"""Maps the tensors of a weights file to the variables of a network, and changes their layout in both directions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import keras
import ml_dtypes
import numpy as np

from biggan_tf.interop.deferred_variables import deferred_variables, set_value
from biggan_tf.interop.tensor_refs import TensorRef
from biggan_tf.interop.weights_file_error import WeightsFileError, shown, shown_name

_MAX_LISTED = 12
# A network in float32 takes at most twice the memory of tensors of these types.
_DTYPES = tuple(np.dtype(kind) for kind in ("f2", "f4", "f8", ml_dtypes.bfloat16))


class Tensors(Protocol):
    """An open file of tensors, or arrays in memory."""

    @property
    def tensors(self) -> Mapping[str, TensorRef]:
        """What is known of each tensor, by name."""

    @property
    def stored_bytes(self) -> int:
        """How many bytes there are for all tensors."""

    def read(self, name: str) -> np.ndarray:
        """The numbers of a tensor."""


NetworkT = TypeVar("NetworkT", bound=keras.Model)


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _to_hwio(array: np.ndarray) -> np.ndarray:
    return array.transpose(2, 3, 1, 0)


def _to_oihw(array: np.ndarray) -> np.ndarray:
    return array.transpose(3, 2, 0, 1)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One tensor of a file and the variable that it belongs to.

    Attributes:
        name: The name of the tensor in the file.
        variable: The variable of the network.
        to_keras: Turns the file's array into one of the variable's layout; by default it stays as it is.
        to_torch: Turns the variable's array into one of the file's layout; by default it stays as it is.
        axes: Which axes of the variable the axes of the file's tensor are; None: the same.
        any_shape: Whether any shape with as many elements will do.
    """

    name: str
    variable: keras.Variable
    to_keras: Callable[[np.ndarray], np.ndarray] = _same
    to_torch: Callable[[np.ndarray], np.ndarray] = _same
    axes: tuple[int, ...] | None = None
    any_shape: bool = False

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of the file may have this shape."""
        wanted = tuple(self.variable.shape)
        if self.any_shape:
            return math.prod(shape) == math.prod(wanted)
        return shape == (wanted if self.axes is None else tuple(wanted[axis] for axis in self.axes))


def convolution(name: str, variable: keras.Variable) -> Entry:
    """The kernel of a convolution: [out, in, h, w] in the file, [h, w, in, out] here."""
    return Entry(name, variable, _to_hwio, _to_oihw, axes=(3, 2, 0, 1))


def dense(name: str, variable: keras.Variable) -> Entry:
    """The kernel of a linear layer: [out, in] in the file, [in, out] here."""
    return Entry(name, variable, np.transpose, np.transpose, axes=(1, 0))


def row(name: str, variable: keras.Variable) -> Entry:
    """A vector: [n] in the file, [1, n] here."""
    return Entry(name, variable, lambda array: array.reshape(1, -1), np.ravel, any_shape=True)


def scalar(name: str, variable: keras.Variable) -> Entry:
    """One number: of shape () or (1,) in the file, () here."""
    return Entry(name, variable, lambda array: array.reshape(()), any_shape=True)


def outputs_channels_last(entry: Entry, channels: int) -> Entry:
    """Reorders the outputs of the first linear layer: [channels, 4, 4] in the file, [4, 4, channels] here.

    Args:
        entry: The kernel or the bias of the layer.
        channels: How many channels there are at 4x4.
    """

    def reorder(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        outputs = array.reshape(*array.shape[:-1], *shape)
        return np.swapaxes(outputs, -1, -2).reshape(array.shape)

    return dataclasses.replace(
        entry,
        to_keras=lambda array: reorder(entry.to_keras(array), (channels, -1)),
        to_torch=lambda array: entry.to_torch(reorder(array, (-1, channels))),
    )


def load_network(
    build: Callable[[], NetworkT],
    entries_of: Callable[[NetworkT], list[Entry]],
    tensors: Tensors,
    source: str,
    ignored: Sequence[str] = (),
) -> NetworkT:
    """Builds a network from a file. Nothing is allocated before all names and shapes agree.

    Args:
        build: Builds the network that the file describes.
        entries_of: The tensors of the file that belong to the network's variables. Each variable must have one.
        tensors: The open file. Its tensors are read one after the other.
        source: What the error calls the file, such as its path.
        ignored: Tensors whose names have one of these ends may be left over.

    Raises:
        WeightsFileError: If there can be no such network; if tensors are missing, left over or of another shape; if
            they are no floating-point numbers; or if the network has many more numbers than the file.
    """
    try:
        with deferred_variables():
            network = build()
        entries = entries_of(network)
    except ValueError as error:
        raise WeightsFileError(f"The network that {source} describes cannot be built: {error}") from error
    check(entries, tensors.tensors, source, ignored)
    # Tensors can show the same bytes of the file again and again, and each would become a variable of its own.
    shown_bytes = sum(tensors.tensors[entry.name].num_bytes for entry in entries)
    if shown_bytes > 2 * tensors.stored_bytes:
        raise WeightsFileError(
            f"The tensors must be stored each by itself. Received: {source}, whose {tensors.stored_bytes:,} bytes are "
            f"shown as {shown_bytes:,}"
        )
    for entry in entries:
        set_value(entry.variable, _value(entry, tensors.read(entry.name)))
    return network


def check(entries: Sequence[Entry], tensors: Mapping[str, TensorRef], source: str, ignored: Sequence[str] = ()) -> None:
    """Compares names, shapes and types with those of the variables. No number is read.

    Args:
        entries: The tensors and their variables.
        tensors: What is known of the tensors of the file, by name.
        source: What the error calls the file, such as its path.
        ignored: Tensors whose names have one of these ends may be left over.

    Raises:
        WeightsFileError: If tensors are missing, left over, of another shape or of another type; the error names them.
    """
    problems = [problem for entry in entries if (problem := _problem(entry, tensors.get(entry.name)))]
    names = {entry.name for entry in entries}
    problems += [
        f"left over: {shown_name(name)} of shape {shown(tuple(tensors[name].shape))}"
        for name in sorted(set(tensors) - names)
        if not name.endswith(tuple(ignored))
    ]
    if problems:
        more = f"\n  ... and {len(problems) - _MAX_LISTED} more" if len(problems) > _MAX_LISTED else ""
        raise WeightsFileError(
            f"The tensors must fit the network that they describe. Received: {source}, in which\n  "
            + "\n  ".join(problems[:_MAX_LISTED])
            + more
        )


def _problem(entry: Entry, tensor: TensorRef | None) -> str | None:
    path, wanted = entry.variable.path, tuple(entry.variable.shape)
    if tensor is None:
        return f"missing: {entry.name}, for {path} of shape {wanted}"
    if not entry.fits(tuple(tensor.shape)):
        return f"shape: {entry.name} is {shown(tuple(tensor.shape))}, {path} needs {wanted}"
    if keras.backend.is_float_dtype(entry.variable.dtype):
        if tensor.dtype.newbyteorder("=") not in _DTYPES:
            return f"type: {entry.name} is {tensor.dtype}, {path} needs floating-point numbers"
    elif tensor.dtype != np.dtype(entry.variable.dtype):
        return f"type: {entry.name} is {tensor.dtype}, {path} needs {entry.variable.dtype}"
    return None


def _value(entry: Entry, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # from float64
        return np.asarray(entry.to_keras(array), entry.variable.dtype)


def extract(entries: Sequence[Entry]) -> dict[str, np.ndarray]:
    """The values of the variables by the names of the file and in its layout, the reverse of `load_network`."""
    return {entry.name: np.asarray(entry.to_torch(np.asarray(entry.variable)), order="C") for entry in entries}
