"""What a PyTorch file says about a tensor: which stored numbers it shows, and how it strides them.

The functions in `CALLABLES` are the only ones that a file can call; each builds a description and
nothing else. `biggan_tf.interop.tensor_pickle` runs them, `torch_files` looks up the numbers.
"""

import collections
import dataclasses
import reprlib
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from biggan_tf.interop.weights_file_error import WeightsFileError

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


@dataclasses.dataclass(frozen=True)
class StorageRef:
    """A run of numbers in the file: `count` elements of `dtype` under `key`, from `start` on."""

    key: str
    dtype: np.dtype
    count: int
    start: int = 0


@dataclasses.dataclass(frozen=True)
class TensorRef:
    """A strided view of a storage; offset and strides count elements, as torch counts them."""

    storage: StorageRef
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Global:
    """A name that the pickle mentioned and that means something here."""

    name: str


def call(function: Any, arguments: Any) -> Any:
    """Does what REDUCE asks for, if it is one of `CALLABLES`."""
    if not isinstance(function, Global) or function.name not in CALLABLES:
        raise WeightsFileError(f"its pickle calls {reprlib.repr(function)}, which is not a function of tensors")
    if not isinstance(arguments, tuple):
        raise WeightsFileError(f"its pickle calls {function.name} without a tuple of arguments")
    return CALLABLES[function.name](*arguments)


def storage_of(identity: Any) -> StorageRef:
    """A persistent id: ("storage", type, key, device, count[, (view key, start, length)])."""
    match identity:
        case ("storage", Global(name=name), str() as key, str(), int() as count, *views):
            dtype = named_dtype(name)
        case _:
            raise WeightsFileError(f"its pickle has an unknown storage id {reprlib.repr(identity)}")
    if dtype is None or count < 0:
        raise WeightsFileError(f"its pickle has a storage of type {name!r} with {count} elements")
    match views:
        case [] | [None]:
            return StorageRef(key, dtype, count)
        case [(_, int() as start, int() as length)] if 0 <= start <= start + length <= count:
            return StorageRef(key, dtype, length, start)
    raise WeightsFileError(f"its pickle has a storage view {reprlib.repr(views)} outside its {count} elements")


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
    if metadata and any(metadata.values()):
        raise WeightsFileError(f"it holds a tensor with the lazy mark {reprlib.repr(metadata)}; resolve it")
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
        raise WeightsFileError(f"it holds a tensor with the lazy mark {reprlib.repr(metadata)}; resolve it")
    return _checked(storage, named_dtype(dtype.name), offset, shape, strides)


def _checked(
    storage: Any,
    dtype: np.dtype | None,
    offset: Any,
    shape: Any,
    strides: Any,
) -> TensorRef:
    integers = [offset, *shape, *strides] if isinstance(shape, tuple) and isinstance(strides, tuple) else []
    if (
        not isinstance(storage, StorageRef)
        or dtype is None
        or not integers
        or not all(isinstance(i, int) and i >= 0 for i in integers)
        or len(shape) != len(strides)
    ):
        raise WeightsFileError(
            f"its pickle describes a tensor that cannot be: offset {reprlib.repr(offset)}, "
            f"shape {reprlib.repr(shape)}, strides {reprlib.repr(strides)}"
        )
    return TensorRef(storage, dtype, offset, shape, strides)


def _parameter(data: Any, *_unused: Any) -> Any:
    return data


def _from_type(function: Any, kind: Any, arguments: Any, _state: Any) -> Any:
    """`_rebuild_from_type_v2`: a tensor with Python attributes, which are left behind."""
    if not isinstance(kind, Global) or kind.name not in TENSOR_TYPES:
        raise WeightsFileError(f"it holds a tensor of the subclass {reprlib.repr(kind)}: refused")
    if isinstance(function, Global) and CALLABLES.get(function.name) is _from_type:
        raise WeightsFileError("its pickle nests tensor subclasses, which torch never does")
    return call(function, arguments)


# Named as an argument, never called.
TENSOR_TYPES = {"torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"}
CALLABLES: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda: collections.OrderedDict(),
    "torch.Size": lambda size=(): tuple(size),
    "torch.device": lambda *place: place,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _from_type,
}
