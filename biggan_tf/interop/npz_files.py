"""Reads the arrays of an .npz file that a stranger may have written.

NumPy allocates what the head of an array claims before it looks how many bytes there are, and unpacks whatever a
compressed entry grows to.
"""

from __future__ import annotations

import ast
import math
import os
import re
import stat
import zipfile
from typing import IO, BinaryIO, cast

import numpy as np

from biggan_tf import files
from biggan_tf.interop.bounded_zip import ZIP_ERRORS, BoundedReads
from biggan_tf.interop.weights_file_error import WeightsFileError, errors_naming, shown

_MAX_ARRAYS = 10_000
_MAX_GROWTH = 3  # Weights hardly shrink when they are compressed.
_MAX_HEAD = 10_000
_MAX_AXES = 32
_KIND = re.compile(r"[<>|=][biufcU]\d{1,6}", re.ASCII)
_PIECE = 1 << 20


def read_npz(path: files.Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an .npz file by name. An array of Python objects is an error.

    Args:
        path: The path of the file, which may be compressed.

    Raises:
        WeightsFileError: If the file is damaged or no .npz, if an array claims other bytes than it has, or if all
            arrays together have more than three times the bytes of the file.
    """
    with errors_naming(path, "arrays"):
        if not files.is_remote(path) and not stat.S_ISREG(os.stat(path).st_mode):
            raise WeightsFileError("it is no regular file")
        with files.open_binary(path) as file:
            return _arrays(file, files.size(path))


def _arrays(file: BinaryIO, num_bytes: int) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(cast(BinaryIO, BoundedReads(file))) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_ARRAYS:
                raise WeightsFileError(f"it must hold at most {_MAX_ARRAYS:,} arrays. Received: {len(entries):,}")
            claimed = sum(entry.file_size for entry in entries)
            if claimed > _MAX_GROWTH * num_bytes:
                raise WeightsFileError(f"its {num_bytes:,} bytes claim to hold arrays of {claimed:,}")
            return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in entries}
    except WeightsFileError:
        raise
    except MemoryError as error:
        raise WeightsFileError("there is no memory for its arrays") from error
    except (*ZIP_ERRORS, SyntaxError, TypeError, KeyError, RecursionError) as error:  # the last of a head of an array
        raise WeightsFileError(f"it is damaged or no .npz file ({error})") from error


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as stream:
        shape, fortran_order, dtype = _head(stream, entry.filename)
        left = entry.file_size - stream.tell()
        if not dtype.itemsize or math.prod(shape) * dtype.itemsize != left:
            raise WeightsFileError(
                f"its array {shown(entry.filename)} of shape {shown(shape)} and type {dtype} must take the {left:,} "
                "bytes that are there"
            )
        data = np.empty(left, np.uint8)
        position = 0
        while piece := stream.read(_PIECE):
            data[position : position + len(piece)] = np.frombuffer(piece, np.uint8)
            position += len(piece)
        if position != left:
            raise WeightsFileError(f"its array {shown(entry.filename)} is cut off")
    return data.view(dtype).reshape(shape, order="F" if fortran_order else "C")


def _head(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an array, as NumPy writes them in front of its bytes."""
    start = stream.read(8)
    length_bytes = {b"\x01\x00": 2, b"\x02\x00": 4}.get(start[6:])
    if start[:6] != b"\x93NUMPY" or length_bytes is None:
        raise WeightsFileError(f"its entry {shown(name)} is no array")
    length = int.from_bytes(stream.read(length_bytes), "little")
    if length > _MAX_HEAD:
        raise WeightsFileError(f"its array {shown(name)} must have a head of at most {_MAX_HEAD} bytes")
    match ast.literal_eval(stream.read(length).decode("latin-1")):
        case {"descr": str() as kind, "fortran_order": bool() as fortran_order, "shape": tuple() as shape}:
            is_shape = len(shape) <= _MAX_AXES and all(type(size) is int and 0 <= size < 2**63 for size in shape)
            if is_shape and _KIND.fullmatch(kind):
                return shape, fortran_order, np.dtype(kind)
    raise WeightsFileError(f"its array {shown(name)} must have numbers or texts of one type, and a shape")
