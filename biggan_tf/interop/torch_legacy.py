"""The older form of PyTorch's files: `torch.save` before 1.6, or without its zip serialisation.

Five pickles follow one another (a magic number, the protocol, the machine, the object, the keys of
the storages), then each storage: its number of elements as an int64, its bytes, little-endian.
"""

import mmap
from typing import BinaryIO, cast

import numpy as np

from biggan_tf.interop.tensor_pickle import TensorPickle, load_tensor_pickle
from biggan_tf.interop.tensor_refs import StorageRef
from biggan_tf.interop.weights_file_error import WeightsFileError

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001


class TorchLegacy:
    """An open checkpoint of the older form.

    Args:
        file: the open file; must not be empty.
    """

    def __init__(self, file: BinaryIO) -> None:
        # A map can be read at any place, and never hands out more than the file has.
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        stream = cast(BinaryIO, self._map)
        magic = load_tensor_pickle(stream).root
        if magic != _MAGIC_NUMBER:
            raise WeightsFileError(
                "it is a pickle that torch.save did not write: its magic number must come first. "
                f"Received: {type(magic).__name__}"
            )
        version = load_tensor_pickle(stream).root
        if version != _PROTOCOL_VERSION:
            raise WeightsFileError(f"its protocol must be {_PROTOCOL_VERSION}. Received: {version!r:.50}")
        load_tensor_pickle(stream)  # How wide the writer's C types were, and which end came first.
        self.pickle: TensorPickle = load_tensor_pickle(stream)
        self._places = self._find_storages(load_tensor_pickle(stream).root)

    def read_storage(self, storage: StorageRef) -> np.ndarray:
        """The bytes of a storage, little-endian, uint8 `[bytes]`."""
        if storage.key not in self._places:
            raise WeightsFileError(f"its storage {storage.key!r} is missing")
        start, size = self._places[storage.key]
        return np.frombuffer(self._map, np.uint8, size, start).copy() if size else np.empty(0, np.uint8)

    def _find_storages(self, keys: object) -> dict[str, tuple[int, int]]:
        """Where each storage's bytes start, and how many there are."""
        storages = self.pickle.storages
        if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
            raise WeightsFileError("its list of storages does not match the storages of its tensors")
        places = {}
        position, end = self._map.tell(), len(self._map)
        for key in keys:
            count = int.from_bytes(self._map[position : position + 8], "little", signed=True)
            size = count * storages[key].dtype.itemsize
            start = position + 8
            if count < 0 or start + size > end:
                raise WeightsFileError(
                    f"its storage {key!r} claims {count} elements of {storages[key].dtype}, more "
                    f"than the file of {end} bytes has; it may be cut off"
                )
            places[key] = (start, size)
            position = start + size
        return places
