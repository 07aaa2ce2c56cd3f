"""What a PyTorch file says about a tensor: which stored numbers it shows, and how it strides them.

The functions in `CALLABLES` are the only ones that a file can call; each builds a description and
nothing else. `biggan_tf.interop.tensor_pickle` runs them, `torch_files` looks up the numbers.
"""

import collections
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from biggan_tf.interop.weights_file_error import WeightsFileError, shown, shown_name

STORAGE_DTYPES: dict[str, np.dtype] = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
    "ComplexFloatStorage": np.dtype("<c8"),
    "ComplexDoubleStorage": np.dtype("<c16"),
}
# What `torch.float32` and the like mean where a file names a dtype by itself.
TORCH_DTYPES: dict[str, np.dtype] = {
    **{name: np.dtype(name) for name in ("float16", "float32", "float64", "complex64", "complex128")},
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64", "bool")},
    **{name: np.dtype(name) for name in ("uint8", "uint16", "uint32", "uint64")},
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
}
_UNTYPED = np.dtype("u1")
MAX_INTEGER = 2**63 - 1
MAX_AXES = 32
MAX_TENSORS = 10_000  # of a file
MAX_ELEMENTS = 2**40  # of a tensor, axes of length 0 left out
_MAX_ARGUMENTS = 16


@dataclasses.dataclass(frozen=True, slots=True)
class StorageRef:
    """Numbers that lie one after the other in the file.

    Attributes:
        key: The name of the storage in the file.
        dtype: The dtype of the numbers.
        count: How many numbers there are.
        start: How many numbers of the storage come before them.
    """

    key: str
    dtype: np.dtype
    count: int
    start: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor: a view of a storage. Offset and strides count elements, as PyTorch counts them.

    Attributes:
        storage: Where the numbers lie.
        dtype: The dtype of the numbers.
        offset: Which element of the storage is the first one of the tensor.
        shape: The size of each axis.
        strides: By how many elements of the storage one moves on along each axis.
    """

    storage: StorageRef
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """How many bytes the numbers take where each is held by itself."""
        return math.prod(self.shape) * self.dtype.itemsize

    def require_inside(self, name: str) -> None:
        """Raises WeightsFileError unless all that the tensor shows lies in its storage.

        Args:
            name: The name of the tensor, for the error.
        """
        count = self.storage.count * self.storage.dtype.itemsize // self.dtype.itemsize
        elements = math.prod(self.shape)
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        # Of a tensor without elements NumPy still multiplies the other axes.
        too_large = math.prod(size for size in self.shape if size) > max(count, MAX_ELEMENTS)
        if too_large or (elements and (last >= count or elements > count)):
            raise WeightsFileError(
                f"its tensor {shown_name(name)!r} of shape {shown(self.shape)} with offset {self.offset} and "
                f"strides {shown(self.strides)} does not fit its storage of {count} elements"
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Global:
    """A function or class that the pickle names and that is allowed, with the name of its module."""

    name: str


def call(function: Any, arguments: Any) -> Any:
    """Does what REDUCE asks for, if it is one of `CALLABLES`."""
    if not isinstance(function, Global) or function.name not in CALLABLES:
        raise WeightsFileError(f"its pickle calls {shown(function)}, which is not a function of tensors")
    if not isinstance(arguments, tuple):
        raise WeightsFileError(f"its pickle calls {function.name} without a tuple of arguments")
    # A call copies the tuple, and a pickle can call again and again with the same one.
    if len(arguments) > _MAX_ARGUMENTS:
        raise WeightsFileError(f"its pickle calls {function.name} with {len(arguments)} arguments")
    return CALLABLES[function.name](*arguments)


def storage_of(identity: Any) -> StorageRef:
    """A persistent id: ("storage", type, key, device, count[, (view key, start, length)])."""
    match identity:
        case ("storage", Global(name=name), str() as key, str(), int() as count, *views):
            dtype = named_dtype(name)
        case _:
            raise WeightsFileError(f"its pickle has an unknown storage id {shown(identity)}")
    if dtype is None or not 0 <= count * dtype.itemsize <= MAX_INTEGER:
        raise WeightsFileError(f"its pickle has a storage of type {name!r} with {count} elements")
    match views:
        case [] | [None]:
            return StorageRef(key, dtype, count)
        case [(_, int() as start, int() as length)] if 0 <= start <= start + length <= count:
            return StorageRef(key, dtype, length, start)
    raise WeightsFileError(f"its pickle has a storage view {shown(views)} outside its {count} elements")


def named_dtype(name: str) -> np.dtype | None:
    """The dtype behind `torch.FloatStorage`, `torch.cuda.FloatStorage` or `torch.float32`."""
    module, _, attribute = name.rpartition(".")
    if attribute == "UntypedStorage" and module in ("torch", "torch.storage", "torch.cuda"):
        return _UNTYPED
    if module in ("torch", "torch.cuda") and attribute in STORAGE_DTYPES:
        return STORAGE_DTYPES[attribute]
    return TORCH_DTYPES.get(attribute) if module == "torch" else None


def _tensor(
    storage: Any,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    _requires_grad: bool = False,
    _hooks: Any = None,
    metadata: dict | None = None,
) -> TensorRef:
    """`_rebuild_tensor` and `_rebuild_tensor_v2`."""
    # PyTorch writes the marks "conj" and "neg". Many tensors could share one long dict.
    if metadata and not (isinstance(metadata, dict) and len(metadata) <= 2 and not any(metadata.values())):
        raise WeightsFileError(f"it holds a tensor with the lazy mark {shown(metadata)}; resolve it")
    return _checked(storage, getattr(storage, "dtype", None), offset, shape, strides)


def _tensor_v3(
    storage: Any,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    _requires_grad: bool,
    _hooks: Any,
    dtype: Global,
    metadata: dict | None = None,
) -> TensorRef:
    """`_rebuild_tensor_v3`: an untyped storage and a dtype, for what has no storage class."""
    if metadata:
        raise WeightsFileError(f"it holds a tensor with the lazy mark {shown(metadata)}; resolve it")
    if not isinstance(dtype, Global):
        raise WeightsFileError(f"its pickle has a tensor of the dtype {shown(dtype)}, which is none")
    named = named_dtype(dtype.name)
    if named == np.bool_ and getattr(storage, "dtype", None) != np.bool_:
        raise WeightsFileError("it holds a bool tensor in a storage of another type, which torch never writes")
    return _checked(storage, named, offset, shape, strides)


def _checked(
    storage: Any,
    dtype: np.dtype | None,
    offset: Any,
    shape: Any,
    strides: Any,
) -> TensorRef:
    if not isinstance(storage, StorageRef) or dtype is None or not is_view(offset, shape, strides):
        raise WeightsFileError(
            f"its pickle describes a tensor that cannot be: offset {shown(offset)}, "
            f"shape {shown(shape)}, strides {shown(strides)}"
        )
    return TensorRef(storage, dtype, offset, shape, strides)


def is_view(offset: Any, shape: Any, strides: Any) -> bool:
    """Whether these can be the offset, the shape and the strides of a tensor, of whatever storage."""
    return (
        isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides)
        and len(shape) <= MAX_AXES
        and all(type(i) is int and 0 <= i <= MAX_INTEGER for i in (offset, *shape, *strides))
    )


def size_of(values: Any = ()) -> tuple[Any, ...]:
    """`torch.Size`, the shape of a tensor."""
    if not isinstance(values, tuple | list) or len(values) > MAX_AXES:
        raise WeightsFileError(f"its pickle has a shape that cannot be: {shown(values)}; it may have {MAX_AXES} axes")
    return tuple(values)


def _parameter(data: Any, *_unused: Any) -> Any:
    return data


def _from_type(function: Any, kind: Any, arguments: Any, _state: Any) -> Any:
    """`_rebuild_from_type_v2`: a tensor with Python attributes, which are left behind."""
    if not isinstance(kind, Global) or kind.name not in TENSOR_TYPES:
        raise WeightsFileError(f"it holds a tensor of the subclass {shown(kind)}: refused")
    if isinstance(function, Global) and CALLABLES.get(function.name) is _from_type:
        raise WeightsFileError("its pickle nests tensor subclasses, which torch never does")
    return call(function, arguments)


# Named as an argument, never called.
TENSOR_TYPES = {"torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"}
CALLABLES: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda: collections.OrderedDict(),
    "torch.Size": size_of,
    "torch.device": lambda *_place: None,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _from_type,
}
