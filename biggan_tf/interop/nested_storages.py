"""Reads the numbers of the tensors and arrays that a pickle of networks describes, with bounds before any of them."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from biggan_tf.interop.numpy_records import NumpyArray
from biggan_tf.interop.object_pickle import LatinText, NestedFile, Payload, TensorRecord
from biggan_tf.interop.pickle_instructions import Bytes, Skipped
from biggan_tf.interop.tensor_refs import MAX_TENSORS, StorageRef, TensorRef
from biggan_tf.interop.torch_legacy import read_pickles
from biggan_tf.interop.weights_file_error import WeightsFileError, shown, shown_name

_MAX_HEAD = 4096  # The pickles in front of one storage take some hundreds of bytes.
_PIECE = 1 << 20

Stored: TypeAlias = TensorRecord | NumpyArray


class NestedStorages:
    """The numbers in a pickle of networks.

    Args:
        data: The whole file.
    """

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._views: dict[Payload, memoryview] = {}
        self._opened: dict[Payload, tuple[StorageRef, memoryview]] = {}

    def read(self, tensors: Mapping[str, Stored]) -> dict[str, np.ndarray]:
        """Reads tensors into memory of their own.

        Args:
            tensors: The tensors and arrays by name.

        Raises:
            WeightsFileError: If there are too many, if one lies outside of its storage, or if they show more bytes than
                the file has for them. Nothing is allocated before that is known.
        """
        if len(tensors) > MAX_TENSORS:
            raise WeightsFileError(f"it must hold at most {MAX_TENSORS:,} tensors. Received: {len(tensors):,}")
        found = {name: self._found(name, stored) for name, stored in tensors.items()}
        stored_bytes = sum({id(data): data.nbytes for _, data in found.values()}.values())
        shown_bytes = sum(tensor.num_bytes for tensor, _ in found.values())
        # Tensors can show the same bytes of the file again and again, and each gets memory of its own.
        if shown_bytes > 2 * stored_bytes:
            raise WeightsFileError(
                f"its tensors must be stored each by itself. Received: {stored_bytes:,} bytes that are shown as "
                f"{shown_bytes:,}"
            )
        try:
            return {name: _copied(tensor, data) for name, (tensor, data) in found.items()}
        except MemoryError as error:
            raise WeightsFileError(f"there is no memory for its {shown_bytes:,} bytes of numbers") from error

    def _found(self, name: str, stored: Stored) -> tuple[TensorRef, memoryview]:
        """What a tensor shows, and the bytes of its storage."""
        if isinstance(stored, NumpyArray):
            tensor, data = self._array(name, stored)
        else:
            storage, data = self._storage(stored.storage)
            tensor = TensorRef(storage, storage.dtype, stored.offset, stored.shape, stored.strides)
        tensor.require_inside(name)
        return tensor, data

    def _array(self, name: str, array: NumpyArray) -> tuple[TensorRef, memoryview]:
        if array.dtype is None or not isinstance(array.payload, Skipped | LatinText | bytes):
            raise WeightsFileError(f"its array {shown_name(name)!r} holds {shown(array.payload)}, which must be bytes")
        data = self._bytes(array.payload)
        if math.prod(array.shape) * array.dtype.itemsize != data.nbytes:
            raise WeightsFileError(
                f"its array {shown_name(name)!r} of shape {shown(array.shape)} and type {array.dtype} must take the "
                f"{data.nbytes:,} bytes that are there"
            )
        sizes = array.shape if array.fortran_order else array.shape[::-1]
        strides = [math.prod(sizes[:axis]) for axis in range(len(sizes))]
        storage = StorageRef(name, array.dtype, data.nbytes // array.dtype.itemsize)
        ordered = tuple(strides if array.fortran_order else strides[::-1])
        return TensorRef(storage, array.dtype, 0, array.shape, ordered), data

    def _storage(self, nested: NestedFile) -> tuple[StorageRef, memoryview]:
        """The storage of a nested file, and its bytes; a file that many tensors share is opened once."""
        if nested.payload not in self._opened:
            self._opened[nested.payload] = _open(self._bytes(nested.payload))
        return self._opened[nested.payload]

    def _bytes(self, payload: Payload) -> memoryview:
        """The bytes at a place; the same object for the same place."""
        if payload not in self._views:
            if isinstance(payload, LatinText):
                view = memoryview(self._decode(payload.text))
            elif isinstance(payload, bytes):
                view = memoryview(payload)
            else:
                view = memoryview(self._data)[payload.start : payload.start + payload.count]
            self._views[payload] = view
        return self._views[payload]

    def _decode(self, text: Skipped) -> bytes:
        """The bytes that a text stands for.

        It is decoded piece by piece, since a single character can make a whole text four times as long in memory.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        parts = bytearray()
        end = text.start + text.count
        for start in range(text.start, end, _PIECE):
            stop = min(start + _PIECE, end)
            try:
                parts += decoder.decode(bytes(self._data[start:stop]), final=stop == end).encode("latin-1")
            except UnicodeError as error:
                raise WeightsFileError(f"its bytes are no text in latin1 ({error})") from error
        return bytes(parts)


def _open(data: memoryview) -> tuple[StorageRef, memoryview]:
    """The one storage of a file of the older form, and its bytes."""
    root, keys = read_pickles(bytes(data[:_MAX_HEAD]))
    storage = root.root
    if not isinstance(storage, StorageRef) or keys.root != [storage.key] or list(root.storages) != [storage.key]:
        raise WeightsFileError(f"its pickle holds a file of {shown(root.root)}, which must be of one storage")
    begin = keys.end + 8
    count = int.from_bytes(data[keys.end : begin], "little", signed=True)
    size = count * storage.dtype.itemsize
    if count < 0 or begin + size > data.nbytes or storage.start + storage.count > count:
        raise WeightsFileError(
            f"its storage {shown(storage.key)} claims {max(count, storage.start + storage.count)} elements of "
            f"{storage.dtype}, more than its {data.nbytes} bytes have"
        )
    return storage, data[begin : begin + size]


def _copied(tensor: TensorRef, data: memoryview) -> np.ndarray:
    storage, dtype = tensor.storage, tensor.dtype
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, dtype)
    start = (storage.start + tensor.offset) * dtype.itemsize
    # Along an axis of length 1 nothing moves, and what a file says there need not fit NumPy's integers.
    strides = [
        stride * dtype.itemsize if size > 1 else 0 for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    ]
    # Any byte but 0 and 1 makes a NumPy bool misbehave.
    plain = np.dtype(np.uint8) if dtype == np.bool_ else dtype
    array = np.array(np.ndarray(tensor.shape, plain, data, start, strides), order="C")
    return array.astype(np.bool_) if dtype == np.bool_ else array
