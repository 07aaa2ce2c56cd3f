"""Reads and writes files of the safetensors format: a JSON header, and then the numbers of each tensor.

The file begins with the number of bytes of the header, 8 bytes, little-endian. The header names each tensor's type,
shape and place behind the header. Tensors lie one after the other, without holes and without sharing a byte.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from typing import BinaryIO, cast

import ml_dtypes
import numpy as np

from biggan_tf import files
from biggan_tf.interop.arrays import little_endian
from biggan_tf.interop.pickle_instructions import MAX_TEXT
from biggan_tf.interop.tensor_refs import MAX_AXES, MAX_TENSORS, StorageRef, TensorRef
from biggan_tf.interop.weights_file_error import WeightsFileError, errors_naming, shown, shown_name

_DTYPES: dict[str, np.dtype] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    "BOOL": np.dtype("?"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_METADATA = "__metadata__"
_MAX_HEADER = 4 << 20  # `MAX_TENSORS` tensors take less than half of it.


class SafetensorsFile:
    """An open file. What its tensors are is known; their numbers are read when they are asked for.

    Args:
        file: The open file. It must stay open while tensors are read.

    Attributes:
        metadata: The texts of the header by name.
        tensors: What is known of each tensor.
        stored_bytes: How many bytes they have together.

    Raises:
        WeightsFileError: If the header is damaged, or the tensors that it names are not the bytes behind it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        header_bytes = int.from_bytes(file.read(8), "little")
        self._begin = 8 + header_bytes
        if num_bytes < 8 or header_bytes > min(num_bytes - 8, _MAX_HEADER):
            raise WeightsFileError(
                f"its header must have at most {_MAX_HEADER:,} bytes and lie in the file. "
                f"Received: {header_bytes:,} in a file of {num_bytes:,}"
            )
        header = _parsed(file.read(header_bytes))
        self.metadata = _metadata(header.pop(_METADATA, {}))
        if len(header) > MAX_TENSORS:
            raise WeightsFileError(f"it must hold at most {MAX_TENSORS:,} tensors. Received: {len(header):,}")
        self.tensors: dict[str, TensorRef] = {}
        self._places: dict[str, int] = {}
        for name, entry in header.items():
            self.tensors[name], self._places[name] = _described(name, entry)
        self.stored_bytes = sum(tensor.num_bytes for tensor in self.tensors.values())
        self._require_no_holes(num_bytes - self._begin)

    def _require_no_holes(self, data_bytes: int) -> None:
        position = 0
        for name in sorted(self.tensors, key=lambda name: (self._places[name], self.tensors[name].num_bytes)):
            if self._places[name] != position:
                raise WeightsFileError(
                    f"its tensor {shown_name(name)!r} must begin at byte {position:,}, where the one before it ends. "
                    f"Received: {self._places[name]:,}"
                )
            position += self.tensors[name].num_bytes
        if position != data_bytes:
            raise WeightsFileError(
                f"its tensors must take all {data_bytes:,} bytes behind the header. Received: {position:,}"
            )

    def read(self, name: str) -> np.ndarray:
        """The numbers of a tensor."""
        tensor = self.tensors[name]
        try:
            data = np.empty(tensor.num_bytes, np.uint8)
        except MemoryError as error:  # A file can have holes: gigabytes that took no place on the disk.
            raise WeightsFileError(f"there is no memory for the {tensor.num_bytes:,} bytes of {shown(name)}") from error
        self._file.seek(self._begin + self._places[name])
        if self._file.readinto(data.data) != data.nbytes:  # type: ignore[attr-defined] # every binary file has it
            raise WeightsFileError(f"its tensor {shown_name(name)!r} is cut off")
        if tensor.dtype == np.bool_:
            np.minimum(data, 1, out=data)  # Any byte but 0 and 1 makes a NumPy bool misbehave.
        return data.view(tensor.dtype).reshape(tensor.shape)


@contextlib.contextmanager
def open_safetensors(path: str | os.PathLike[str]) -> Iterator[SafetensorsFile]:
    """Opens a file to read its tensors one by one.

    Args:
        path: The path of the file.

    Raises:
        WeightsFileError: If it is no file of this format; see `SafetensorsFile`.
    """
    with errors_naming(path, "tensors"):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise WeightsFileError("it is no regular file")
        with open(path, "rb") as file:
            yield SafetensorsFile(file)


def write_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes arrays by name. The same arrays give the same bytes. A process that is killed leaves no half of a file.

    Args:
        path: The path of the file.
        tensors: The arrays by name.
        metadata: Texts by name, which the header holds as well.

    Raises:
        ValueError: If an array is of a type that the format does not know.
    """
    arrays = {name: little_endian(np.asarray(array)) for name, array in tensors.items()}
    header: dict[str, object] = {_METADATA: dict(metadata)} if metadata else {}
    position = 0
    # The widest types first, so that each tensor begins at a multiple of its type's size.
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    for name in names:
        array = arrays[name]
        dtype = _NAMES.get(array.dtype)
        if dtype is None or name == _METADATA:
            raise ValueError(f"{name!r} must have a dtype that safetensors stores. Received: {array.dtype}")
        end = position + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with files.replacing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(arrays[name].tobytes())


def _parsed(text: bytes) -> dict[str, object]:
    if text[:1] != b"{":
        raise WeightsFileError(f"its header must be a JSON object. Received: {shown(text[:32])}")
    try:
        header = json.loads(text.decode(), object_pairs_hook=_unique)
    except WeightsFileError:
        raise
    except (ValueError, RecursionError) as error:  # what is no UTF-8, no JSON, or nested without an end
        raise WeightsFileError(f"its header is no JSON ({error})") from error
    return cast("dict[str, object]", header)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise WeightsFileError("its header must have each name once. Received: a name twice")
    return values


def _metadata(texts: object) -> dict[str, str]:
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise WeightsFileError(f"its metadata must be texts by name. Received: {shown(texts)}")
    return texts


def _described(name: str, entry: object) -> tuple[TensorRef, int]:
    """A tensor, and at which byte behind the header it begins."""
    match entry:
        case {"dtype": str() as kind, "shape": list() as shape, "data_offsets": [begin, end], **rest} if not rest:
            numbers = [*shape, begin, end]
            is_sound = len(shape) <= MAX_AXES and all(type(i) is int and 0 <= i < 2**62 for i in numbers)
            if is_sound and kind in _DTYPES and len(name) <= MAX_TEXT:
                dtype = _DTYPES[kind]
                if math.prod(shape) * dtype.itemsize == end - begin:
                    strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
                    storage = StorageRef(name, dtype, (end - begin) // dtype.itemsize)
                    return TensorRef(storage, dtype, 0, tuple(shape), strides), begin
    raise WeightsFileError(f"its header describes a tensor that cannot be: {shown_name(name)!r} as {shown(entry)}")
