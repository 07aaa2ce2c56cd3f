"""The older form of PyTorch's files: `torch.save` before 1.6, or without its zip serialisation.

Five pickles follow one another (a magic number, the protocol, the machine, the object, the keys of
the storages), then each storage: its number of elements as an int64, its bytes, little-endian.
"""

import io
import mmap
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from biggan_tf.interop.pickle_instructions import Bytes
from biggan_tf.interop.tensor_pickle import TensorPickle, load_tensor_pickle
from biggan_tf.interop.tensor_refs import StorageRef
from biggan_tf.interop.weights_file_error import WeightsFileError, shown

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_FRONT_BYTES = 64 << 20  # All pickles lie in so many bytes, or else are refused.
_SHORT = 1000  # instructions of the pickles that hold a number or two


class TorchLegacy:
    """An open checkpoint of the older form.

    Args:
        file: The open file. It must not be empty, and stay open while storages are read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._num_bytes = file.seek(0, io.SEEK_END)
        # A map takes no memory of its own, and never hands out more than the file has.
        front = mmap.mmap(file.fileno(), min(self._num_bytes, _FRONT_BYTES), access=mmap.ACCESS_READ)
        self.pickle, keys = read_pickles(front)
        self._places = self._find_storages(keys.root, keys.end)

    def sizes(self, keys: Iterable[str]) -> dict[str, int]:
        """How many bytes each of these storages has."""
        return {key: self._places[key][1] for key in keys}

    def read_storage(self, storage: StorageRef) -> np.ndarray:
        """The bytes of a storage, little-endian, uint8 `[bytes]`."""
        start, size = self._places[storage.key]
        data = np.empty(size, np.uint8)
        self._file.seek(start)
        if self._file.readinto(data.data) != size:  # type: ignore[attr-defined] # every binary file has it
            raise WeightsFileError(f"its storage {shown(storage.key)} is cut off")
        return data

    def _find_storages(self, keys: object, position: int) -> dict[str, tuple[int, int]]:
        """Where each storage's bytes start, and how many there are."""
        storages = self.pickle.storages
        if (
            not isinstance(keys, list)
            or not all(isinstance(key, str) for key in keys)
            or len(keys) != len(storages)
            or set(keys) != set(storages)
        ):
            raise WeightsFileError("its list of storages does not match the storages of its tensors")
        places = {}
        end = self._num_bytes
        for key in keys:
            self._file.seek(position)
            count = int.from_bytes(self._file.read(8), "little", signed=True)
            size = count * storages[key].dtype.itemsize
            start = position + 8
            if count < 0 or start + size > end:
                raise WeightsFileError(
                    f"its storage {shown(key)} claims {count} elements of {storages[key].dtype}, more "
                    f"than the file of {end} bytes has; it may be cut off"
                )
            places[key] = (start, size)
            position = start + size
        return places


def read_pickles(front: Bytes) -> tuple[TensorPickle, TensorPickle]:
    """The object and the keys of the storages, of the five pickles with which a file begins.

    Args:
        front: The file, or as much of it as all five may take.
    """
    head = load_tensor_pickle(front, 0, _SHORT)
    if head.root != _MAGIC_NUMBER:
        raise WeightsFileError(
            "it is a pickle that torch.save did not write: its magic number must come first. "
            f"Received: {type(head.root).__name__}"
        )
    version = load_tensor_pickle(front, head.end, _SHORT)
    if version.root != _PROTOCOL_VERSION:
        raise WeightsFileError(f"its protocol must be {_PROTOCOL_VERSION}. Received: {shown(version.root)}")
    # How wide the writer's C types were, and which end came first.
    machine = load_tensor_pickle(front, version.end, _SHORT)
    root = load_tensor_pickle(front, machine.end)
    return root, load_tensor_pickle(front, root.end)
