"""Reads and writes PyTorch's checkpoint files without PyTorch. The programs in them are not run.

tensors = read_state_dict("G_ema.pth")
write_state_dict("copy.pth", tensors)
with open_state_dict("G_ema.pth") as state_dict:
    kernel = state_dict.read("linear.weight")
"""

import collections
import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from biggan_tf import files
from biggan_tf.interop.pickle_instructions import MAX_TEXT
from biggan_tf.interop.tensor_refs import MAX_TENSORS, StorageRef, TensorRef
from biggan_tf.interop.torch_legacy import TorchLegacy
from biggan_tf.interop.torch_zip import TorchZip, write_torch_zip
from biggan_tf.interop.weights_file_error import WeightsFileError, errors_naming, shown, shown_name

_WHAT = "weights"
_MAX_DEPTH = 32
_MAX_VALUES = 500_000  # A pickle can refer to itself, so its size does not bound its tree's.


class StateDict:
    """The tensors of an open file. What they are is known; their numbers are read when they are asked for.

    Args:
        path: The path of the file, which errors name.
        source: Where the numbers lie.
        tensors: What the pickle says of each tensor, by name.

    Attributes:
        tensors: What the pickle says of each tensor, by name. Each tensor lies inside its storage, and each storage
            inside the file.
        stored_bytes: How many bytes the file has for all of these tensors. Tensors that share a storage can together
            show more than this.

    Raises:
        WeightsFileError: If a tensor lies outside its storage, or a storage outside the file.
    """

    def __init__(self, path: Path, source: TorchZip | TorchLegacy, tensors: Mapping[str, TensorRef]):
        self.tensors = tensors
        self._path = path
        self._source = source
        sizes = source.sizes({tensor.storage.key for tensor in tensors.values()})
        for name, tensor in tensors.items():
            storage = tensor.storage
            claimed = (storage.start + storage.count) * storage.dtype.itemsize
            if claimed > sizes[storage.key]:
                raise WeightsFileError(
                    f"its storage {shown(storage.key)} claims {claimed} bytes, the file has {sizes[storage.key]}"
                )
            tensor.require_inside(name)
        self.stored_bytes = sum(sizes.values())
        self._storages: dict[str, np.ndarray] = {}
        self._unread = collections.Counter(tensor.storage.key for tensor in tensors.values())

    def read(self, name: str) -> np.ndarray:
        """The numbers of a tensor. Tensors that share a storage share their memory until the last of them was read."""
        tensor = self.tensors[name]
        key = tensor.storage.key
        if key not in self._storages:
            with errors_naming(self._path, _WHAT):
                data = self._read(tensor.storage)
            if tensor.storage.dtype == np.bool_:
                np.minimum(data, 1, out=data)  # Any byte but 0 and 1 makes a NumPy bool misbehave.
            self._storages[key] = data
        array = _view(tensor, self._storages[key])
        self._unread[key] -= 1
        if self._unread[key] <= 0:
            del self._storages[key]
        return array

    def _read(self, storage: StorageRef) -> np.ndarray:
        try:
            return self._source.read_storage(storage)
        except MemoryError as error:  # A file can have holes: gigabytes that took no place on the disk.
            num_bytes = storage.count * storage.dtype.itemsize
            raise WeightsFileError(f"there is no memory for its {num_bytes:,} bytes of {shown(storage.key)}") from error


@contextlib.contextmanager
def open_state_dict(
    path: str | os.PathLike[str], key: str | None = None, rename: Callable[[str], str] = lambda name: name
) -> Iterator[StateDict]:
    """Opens a file that `torch.save` wrote, in its zip or its older form, to read its tensors one by one.

    The file's pickle is not run: it can describe containers and tensors, and anything else that it names is refused.
    How much it can describe is bounded, and no number is read before it is asked for.

    Args:
        path: The path of the file.
        key: Which part of nested dicts to read, as in `read_state_dict`.
        rename: Turns the name of each tensor into the name that it gets.

    Raises:
        WeightsFileError: If the file is damaged, is no file of tensors or could run code, or has no tensor under `key`.
    """
    path = Path(path)
    with errors_naming(path, _WHAT):
        if not stat.S_ISREG(path.stat().st_mode):
            raise WeightsFileError("it is no regular file")
    with path.open("rb") as file:
        with errors_naming(path, _WHAT):
            source = _source(file)
            tensors = _renamed(_select(_flatten(source.pickle.root), key), rename)
            state_dict = StateDict(path, source, tensors)
        yield state_dict


def read_state_dict(path: str | os.PathLike[str], key: str | None = None) -> dict[str, np.ndarray]:
    """Reads the tensors of a file that `torch.save` wrote, in its zip or its older form.

    The file's pickle is not run, see `open_state_dict`. Tensors that share a storage in the file share their memory
    here, so that no file takes more memory than it has bytes.

    Args:
        path: The path of the file.
        key: Which part of nested dicts to read, its levels joined by dots: "state_dict" reads
            {"epoch": 3, "state_dict": {"conv.weight": ...}} as {"conv.weight": ...}.

    Returns:
        Arrays of the stored dtype (bfloat16 and float8 are those of `ml_dtypes`) by name. Without a
        key the levels of nested dicts and lists are joined by dots ("state_dict.conv.weight");
        what is not a tensor is left out.

    Raises:
        WeightsFileError: If the file is damaged, is no file of tensors or could run code, or has no tensor under `key`.
    """
    with open_state_dict(path, key) as state_dict:
        return {name: state_dict.read(name) for name in state_dict.tensors}


def write_state_dict(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as a file that `torch.load(path, weights_only=True)` reads.

    The same arrays give the same bytes. A process that is killed leaves no half of a file.

    Args:
        path: The path of the file.
        tensors: The arrays by name.
    """
    with files.replacing(path) as file:
        write_torch_zip(file, tensors)


def _source(file: BinaryIO) -> TorchZip | TorchLegacy:
    head = file.read(32)
    file.seek(0)
    if head.startswith(b"PK\x03\x04"):
        return TorchZip(file)
    if head.startswith(b"\x80"):
        return TorchLegacy(file)
    start = f"it starts with {head!r}" if head else "it is empty"
    raise WeightsFileError(f"it is no file that torch.save writes ({start})")


def _flatten(root: Any) -> dict[str, TensorRef]:
    """Every tensor of nested dicts and lists by its dotted name."""
    tensors: dict[str, TensorRef] = {}
    levels = [iter([("", root)])]
    seen = 0
    while levels:
        for name, value in levels[-1]:
            seen += 1
            if seen > _MAX_VALUES:
                raise WeightsFileError(f"its dicts are nested without an end, or hold more than {_MAX_VALUES:,} values")
            if isinstance(value, TensorRef):
                if name in tensors:
                    raise WeightsFileError(f"it has two tensors with the name {shown_name(name)}")
                if len(tensors) == MAX_TENSORS:
                    raise WeightsFileError(f"it must hold at most {MAX_TENSORS:,} tensors. Received: more")
                tensors[name] = value
            elif isinstance(value, dict | list | tuple):
                if len(levels) > _MAX_DEPTH:
                    raise WeightsFileError("its dicts are nested without an end")
                levels.append(_items(f"{name}." if len(levels) > 1 else "", value))
                break
        else:
            levels.pop()
    return tensors


def _items(prefix: str, container: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """The values of a container, each with its dotted name."""
    for key, value in container.items() if isinstance(container, dict) else enumerate(container):
        name = f"{prefix}{key}"
        if len(name) > MAX_TEXT:
            raise WeightsFileError(f"a name must have at most {MAX_TEXT} characters. Received: {shown(name)}")
        yield name, value


def _select(tensors: dict[str, TensorRef], key: str | None) -> dict[str, TensorRef]:
    if key is None:
        chosen = tensors
    else:
        chosen = {
            name.removeprefix(f"{key}."): tensor for name, tensor in tensors.items() if name.startswith(f"{key}.")
        }
    if not chosen:
        tops = [shown_name(name) for name in sorted({name.split(".")[0] for name in tensors})[:12]]
        raise WeightsFileError(
            f"it has no tensors{'' if key is None else f' under the key {key!r}'}; "
            f"keys with tensors: {', '.join(tops) or 'none'}"
        )
    return chosen


def _renamed(tensors: dict[str, TensorRef], rename: Callable[[str], str]) -> dict[str, TensorRef]:
    renamed: dict[str, TensorRef] = {}
    for name, tensor in tensors.items():
        if rename(name) in renamed:
            raise WeightsFileError(f"it has two tensors with the name {shown_name(rename(name))}")
        renamed[rename(name)] = tensor
    return renamed


def _view(tensor: TensorRef, data: np.ndarray) -> np.ndarray:
    """The view of a storage's bytes that a tensor shows."""
    storage, dtype = tensor.storage, tensor.dtype
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, dtype)
    start = storage.start * storage.dtype.itemsize
    flat = data[start : start + storage.count * storage.dtype.itemsize]
    # Along an axis of length 1 nothing moves, and what a file says there need not fit NumPy's integers.
    strides = [
        stride * dtype.itemsize if size > 1 else 0 for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    ]
    return np.ndarray(tensor.shape, dtype, flat.data, tensor.offset * dtype.itemsize, strides)
