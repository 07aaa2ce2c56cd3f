"""The zip form of PyTorch's files, which `torch.save` writes since torch 1.6.

NAME/data.pkl describes the tensors, NAME/data/KEY holds the bytes of a storage, NAME/byteorder says
which end comes first. The entries are stored as they are, never compressed.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, cast

import numpy as np

from biggan_tf.interop.arrays import little_endian
from biggan_tf.interop.bounded_zip import ZIP_ERRORS, BoundedReads
from biggan_tf.interop.tensor_pickle import TensorPickle, load_tensor_pickle
from biggan_tf.interop.tensor_refs import STORAGE_DTYPES, StorageRef
from biggan_tf.interop.weights_file_error import WeightsFileError, shown

_PIECE = 1 << 20
_STORAGE_NAMES = {dtype: name for name, dtype in STORAGE_DTYPES.items()}


class TorchZip:
    """An open checkpoint of the zip form.

    Args:
        file: The open file. It must stay open while storages are read.
    """

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._archive = zipfile.ZipFile(cast(BinaryIO, BoundedReads(file)))
        except WeightsFileError:
            raise
        except ZIP_ERRORS as error:
            raise WeightsFileError(f"its zip directory is damaged or cut off ({error})") from error
        self._file_bytes = file.seek(0, io.SEEK_END)
        self._prefix = self._find_prefix()
        self.pickle: TensorPickle = load_tensor_pickle(self._read("data.pkl"))
        order = "little"
        if f"{self._prefix}byteorder" in self._archive.NameToInfo:
            order = self._read("byteorder", at_most=16).decode("ascii", "replace").strip()
        if order not in ("little", "big"):
            raise WeightsFileError(f"its byteorder must be 'little' or 'big'. Received: {shown(order)}")
        self._big_endian = order == "big"

    def sizes(self, keys: Iterable[str]) -> dict[str, int]:
        """How many bytes each of these storages has.

        Raises:
            WeightsFileError: If one is missing, or all together claim more bytes than the file has.
        """
        sizes = {key: self._entry(f"data/{key}").file_size for key in keys}
        # No honest file holds more than itself: entries that overlap can claim to.
        if sum(sizes.values()) > self._file_bytes:
            raise WeightsFileError(
                f"its entries claim more bytes than the file has ({sum(sizes.values()):,} of {self._file_bytes:,})"
            )
        return sizes

    def read_storage(self, storage: StorageRef) -> np.ndarray:
        """The bytes of a storage, little-endian, uint8 `[bytes]`."""
        data = np.frombuffer(self._read(f"data/{storage.key}"), np.uint8)
        component = storage.dtype.itemsize // (2 if storage.dtype.kind == "c" else 1)
        if self._big_endian and component > 1:
            end = len(data) // component * component
            data = data[:end].reshape(-1, component)[:, ::-1].reshape(-1)
        return data

    def _find_prefix(self) -> str:
        names = self._archive.namelist()
        roots = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(roots) != 1:
            raise WeightsFileError("it is a zip archive without the entry NAME/data.pkl that torch.save writes")
        prefix = roots[0].removesuffix("data.pkl")
        if f"{prefix}constants.pkl" in self._archive.NameToInfo:
            raise WeightsFileError("it is a TorchScript program; save its state_dict() by torch.save")
        return prefix

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            entry = self._archive.getinfo(self._prefix + name)
        except KeyError:
            raise WeightsFileError(f"its entry {shown(self._prefix + name)} is missing") from None
        if entry.compress_type != zipfile.ZIP_STORED:
            raise WeightsFileError(
                f"its entry {shown(entry.filename)} is compressed, which torch.save never does; "
                "load and save it again with torch"
            )
        if entry.file_size > self._file_bytes:
            raise WeightsFileError(
                f"its entries claim more bytes than the file has (at {shown(entry.filename)}: {entry.file_size} bytes)"
            )
        return entry

    def _read(self, name: str, at_most: int | None = None) -> bytearray:
        entry = self._entry(name)
        if at_most is not None and entry.file_size > at_most:
            raise WeightsFileError(f"its entry {shown(entry.filename)} must have at most {at_most} bytes")
        data = bytearray(entry.file_size)
        position = 0
        try:
            with self._archive.open(entry) as stream:
                # In pieces, so that the bytes are not in memory twice.
                while piece := stream.read(_PIECE):
                    data[position : position + len(piece)] = piece
                    position += len(piece)
        except WeightsFileError:
            raise
        except ZIP_ERRORS as error:
            raise WeightsFileError(f"its entry {shown(entry.filename)} is damaged ({error})") from error
        if position != entry.file_size:
            raise WeightsFileError(f"its entry {shown(entry.filename)} is cut off")
        return data


def write_torch_zip(file: BinaryIO, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a state dict that `torch.load(file, weights_only=True)` reads.

    Args:
        file: An open file, or a stream that can seek.
        tensors: The arrays by name.

    Raises:
        ValueError: If an array is of a dtype for which PyTorch has no class of storages, such as uint16.
    """
    arrays = {name: little_endian(np.asarray(array, order="C")) for name, array in tensors.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _write_entry(archive, "data.pkl", b"".join(_pickle_parts(arrays)))
        _write_entry(archive, "byteorder", b"little")
        for key, array in enumerate(arrays.values()):
            _write_entry(archive, f"data/{key}", array.tobytes())
        _write_entry(archive, "version", b"3\n")


def _write_entry(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    # A fixed date (zip's first) makes the same tensors the same file.
    archive.writestr(zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0)), data)


def _pickle_parts(arrays: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    """The instructions of an `OrderedDict` of tensors, pickle protocol 2.

    Python's pickler writes a name only after it has imported it, and torch is not here.
    """
    ordered_dict = _name("collections", "OrderedDict") + b")R"
    yield b"\x80\x02" + ordered_dict + b"("
    for key, (name, array) in enumerate(arrays.items()):
        storage = _STORAGE_NAMES.get(array.dtype)
        if storage is None:
            raise ValueError(
                f"{name!r} must have one of the dtypes {', '.join(map(str, _STORAGE_NAMES))}, which can be written. "
                f"Received: {array.dtype}; change it by array.astype"
            )
        strides = [stride // array.itemsize for stride in array.strides]
        yield _text(name) + _name("torch._utils", "_rebuild_tensor_v2") + b"(("
        yield _text("storage") + _name("torch", storage) + _text(str(key)) + _text("cpu")
        yield _integer(array.size) + b"tQ" + _integer(0)
        yield _integers(array.shape) + _integers(strides) + b"\x89" + ordered_dict + b"tR"
    yield b"u."


def _name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    if value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def _integers(values: tuple[int, ...] | list[int]) -> bytes:
    return b"(" + b"".join(_integer(value) for value in values) + b"t"
