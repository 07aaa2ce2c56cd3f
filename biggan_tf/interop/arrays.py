"""Arrays in memory in the form in which a weights file offers and stores its tensors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from biggan_tf.interop.tensor_refs import StorageRef, TensorRef


class Arrays:
    """A state dict whose numbers are in memory already, for `weight_map.load_network`.

    Args:
        arrays: The arrays by name.

    Attributes:
        tensors: What is known of each array.
        stored_bytes: How many bytes they have together.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self._arrays = {name: np.asarray(array) for name, array in arrays.items()}
        self.tensors = {name: _described(name, array) for name, array in self._arrays.items()}
        self.stored_bytes = sum(array.nbytes for array in self._arrays.values())

    def read(self, name: str) -> np.ndarray:
        """The numbers of a tensor."""
        return self._arrays[name]


def little_endian(array: np.ndarray) -> np.ndarray:
    """The array with the lowest byte of each number first, as files of weights are written."""
    return array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array


def _described(name: str, array: np.ndarray) -> TensorRef:
    strides = tuple(int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim))
    return TensorRef(StorageRef(name, array.dtype, array.size), array.dtype, 0, array.shape, strides)
