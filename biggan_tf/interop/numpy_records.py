"""What a pickle says about arrays, types and single numbers of NumPy, without NumPy's own unpickling.

`numpy.core.multiarray._reconstruct` and what follows it would build arrays of any type, also of objects.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from biggan_tf.interop.tensor_refs import MAX_AXES, MAX_INTEGER
from biggan_tf.interop.weights_file_error import WeightsFileError, shown

_CODE = re.compile(r"b1|[iu][1248]|f[248]", re.ASCII)
_ORDERS = ("<", ">", "=", "|")


class NumpyType:
    """A type of numbers.

    Args:
        code: Its kind and its bytes, such as "f4". Objects, texts and types of any other size are refused.

    Attributes:
        dtype: The type; little-endian until `build` says otherwise.
    """

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise WeightsFileError(f"its pickle has an array of the type {shown(code)}; it must be of plain numbers")
        self.dtype = np.dtype(code).newbyteorder("<")

    def build(self, state: Any) -> None:
        """Takes the state that NumPy writes: (version, order of the bytes, and fields, which no plain type has)."""
        match state:
            case (int(), str() as order, None, None, None, -1, -1, 0) if order in _ORDERS:
                self.dtype = self.dtype.newbyteorder(">" if order == ">" else "<")
            case _:
                raise WeightsFileError(f"its pickle has a type of numbers that cannot be: {shown(state)}")

    def __repr__(self) -> str:
        return f"<the type {self.dtype}>"


class NumpyArray:
    """An array, of whose numbers nothing was read yet.

    Attributes:
        dtype: The type of the numbers; None: the pickle has not said it.
        shape: The size of each axis.
        fortran_order: Whether the first axis moves fastest.
        payload: Where the bytes lie, as an `object_pickle.Payload`.
    """

    def __init__(self) -> None:
        self.dtype: np.dtype | None = None
        self.shape: tuple[int, ...] = ()
        self.fortran_order = False
        self.payload: Any = None

    def build(self, state: Any) -> None:
        """Takes the state that NumPy writes: (version, shape, type, order, bytes)."""
        match state:
            case (int(), tuple() as shape, NumpyType(dtype=dtype), bool() as fortran_order, payload):
                is_shape = len(shape) <= MAX_AXES and all(
                    type(size) is int and 0 <= size <= MAX_INTEGER for size in shape
                )
                if is_shape and self.dtype is None:
                    self.dtype, self.shape, self.fortran_order, self.payload = dtype, shape, fortran_order, payload
                    return
        raise WeightsFileError(f"its pickle describes an array that cannot be: {shown(state)}")

    def __repr__(self) -> str:
        return f"<an array of shape {shown(self.shape)}>"


def number_of(kind: NumpyType, data: bytes) -> bool | int | float:
    """The number that bytes of a type are."""
    if len(data) != kind.dtype.itemsize:
        raise WeightsFileError(f"its pickle has a number of {len(data)} bytes where {kind.dtype} has others")
    number: bool | int | float = np.frombuffer(data, kind.dtype if kind.dtype != np.bool_ else np.uint8)[0].item()
    return bool(number) if kind.dtype == np.bool_ else number
