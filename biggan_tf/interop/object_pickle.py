"""Reads pickles of whole networks, as NVIDIA's and R3GAN's codes write them, without being able to run anything.

Such a pickle names classes of code that is not here, and some hold that code as a text. Nothing of it is imported or
run: an object comes out as an `InertObject` of its class's name and its attributes, and only classes of `_CLASSES` may
be named. Tensors and arrays come out as a `TensorRecord` each: their numbers stay in the file until they are asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

from biggan_tf.interop.numpy_records import NumpyArray, NumpyType, number_of
from biggan_tf.interop.pickle_instructions import MAX_INSTRUCTIONS, MAX_TEXT, Bytes, Skipped
from biggan_tf.interop.tensor_pickle import TensorMachine, run
from biggan_tf.interop.tensor_refs import TENSOR_TYPES, Global, is_view, named_dtype, size_of
from biggan_tf.interop.weights_file_error import WeightsFileError, shown, shown_name

_MAX_ARGUMENTS = 16
_MAX_SET = 64  # PyTorch's sets hold the names of a layer's buffers.

# The classes whose objects become records, by their modules.
_CLASSES = {
    "dnnlib.tflib.network": ("Network",),
    "torch.nn.modules.conv": ("Conv2d",),
    "torch.nn.modules.linear": ("Linear",),
    "torch.nn.modules.container": ("ModuleList", "Sequential"),
    **{f"training.{module}": ("Generator", "Discriminator") for module in ("networks", "networks_baseline")},
    **{
        f"{package}.Networks": (
            *("Generator", "Discriminator", "GeneratorStage", "DiscriminatorStage", "GenerativeBasis"),
            *("DiscriminativeBasis", "Convolution", "ResidualBlock", "UpsampleLayer", "DownsampleLayer"),
        )
        for package in ("R3GAN", "BaselineGAN")
    },
    **{
        f"{package}.FusedOperators": tuple(f"BiasedActivation{place}" for place in ("", "CUDA", "Reference"))
        for package in ("R3GAN", "BaselineGAN")
    },
    **{
        f"{package}.Resamplers": tuple(
            f"{kind}{direction}{place}"
            for kind in ("Interpolative", "Inplace")
            for direction in ("Upsampler", "Downsampler")
            for place in ("", "CUDA", "Reference")
        )
        for package in ("R3GAN", "BaselineGAN")
    },
}
_RECORDS = {f"{module}.{name}" for module, names in _CLASSES.items() for name in names}


class InertObject:
    """An object of a class that is not here.

    Args:
        name: The name of the class, with its module where the pickle says it.
        attributes: The object's attributes by name; None: they have not been read yet.
    """

    def __init__(self, name: str, attributes: dict[str, Any] | None = None) -> None:
        self.name = name
        self.attributes = attributes

    def __repr__(self) -> str:
        return f"<an object of {shown_name(self.name)}>"


@dataclasses.dataclass(frozen=True, slots=True)
class LatinText:
    """Bytes that the pickle holds as a text in Latin-1, as pickles of protocol 2 do.

    Attributes:
        text: Where the text lies.
    """

    text: Skipped


Payload: TypeAlias = Skipped | LatinText | bytes


@dataclasses.dataclass(frozen=True, slots=True)
class NestedFile:
    """The bytes of a file of `torch.save` with one storage, inside of a pickle.

    Attributes:
        payload: Where they lie.
    """

    payload: Payload


@dataclasses.dataclass(frozen=True, slots=True)
class TensorRecord:
    """A tensor, of whose storage nothing was read yet. Offset and strides count elements.

    Attributes:
        storage: The file that holds its storage.
        offset: Which element of the storage is the first one of the tensor.
        shape: The size of each axis.
        strides: By how many elements of the storage one moves on along each axis.
    """

    storage: NestedFile
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def load_object_pickle(data: Bytes) -> Any:
    """Reads one pickle.

    Args:
        data: The whole file.

    Returns:
        Its root object, of containers, numbers, short texts, `InertObject`, `TensorRecord`, `NumpyArray` and `Skipped`.

    Raises:
        WeightsFileError: If the pickle is damaged, is too long, or names a class or function that no network needs.
    """
    root, _ = run(_ObjectMachine(data), data, 0, MAX_INSTRUCTIONS)
    return root


class _ObjectMachine(TensorMachine):
    def __init__(self, data: Bytes) -> None:
        super().__init__()
        self.data = data

    def allowed(self, name: str) -> Global:
        """The function or class of a name that a file of networks needs; any other is refused."""
        if name in _CALLS or name in _RECORDS or name in _NAMED or named_dtype(name) is not None:
            return Global(name)
        raise WeightsFileError(
            f"its pickle asks for {shown_name(name)!r}, which no network of StyleGAN2, StyleGAN3 or R3GAN needs, so it "
            "is refused and nothing of it was run; do not trust this file"
        )

    def called(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Global) or function.name not in _CALLS:
            raise WeightsFileError(f"its pickle calls {shown(function)}, which is not a function of networks")
        if not isinstance(arguments, tuple) or len(arguments) > _MAX_ARGUMENTS:
            raise WeightsFileError(f"its pickle calls {function.name} with {shown(arguments)}")
        return _CALLS[function.name](self, *arguments)

    def new_object(self) -> None:
        """NEWOBJ: an object whose constructor is not called."""
        arguments, kind = self.pop(), self.pop()
        if not isinstance(kind, Global) or arguments != ():
            raise WeightsFileError(f"its pickle makes an object of {shown(kind)} with {shown(arguments)}")
        if kind.name in _DICTS:
            self._stack.append({})
        elif kind.name in _RECORDS:
            self._stack.append(InertObject(kind.name))
        else:
            raise WeightsFileError(f"its pickle makes an object of {kind.name}, which is no class of a network")

    def build(self) -> None:
        """BUILD: the attributes of an object, or what an array or a type of NumPy holds."""
        state, target = self.pop(), self._top()
        if isinstance(target, NumpyArray | NumpyType):
            target.build(state)
        elif isinstance(target, InertObject):
            if target.attributes is not None or not isinstance(state, dict):
                raise WeightsFileError(f"its pickle sets the attributes of {target!r} to {shown(state)}")
            target.attributes = state
        elif not isinstance(target, dict):
            raise WeightsFileError("its pickle sets the state of something that is not an object")

    def add_items(self) -> None:
        """ADDITEMS: into a set."""
        items, target = self._pop_to_mark(), self._top()
        if not isinstance(target, set):
            raise WeightsFileError("its pickle adds items to something that is not a set")
        target |= _set(self, items)

    def persistent_load(self) -> None:
        raise WeightsFileError("its pickle refers to objects outside of it, which no file of networks does")


def _set(_machine: _ObjectMachine, items: Any = ()) -> set[str]:
    if not isinstance(items, list | tuple) or len(items) > _MAX_SET or not all(type(item) is str for item in items):
        raise WeightsFileError(
            f"its pickle has a set of {shown(items)}; a set must hold names, and {_MAX_SET} at the most"
        )
    return set(items)


def _empty_dict(_machine: _ObjectMachine) -> dict[Any, Any]:
    return {}


def _empty_bytes(_machine: _ObjectMachine) -> bytes:
    return b""


def _encoded(_machine: _ObjectMachine, text: Any, encoding: Any = None) -> Payload:
    """`_codecs.encode`, by which protocol 2 writes bytes."""
    if encoding in ("latin1", "latin-1"):
        if isinstance(text, str):
            return text.encode("latin-1")
        if isinstance(text, Skipped) and text.is_text:
            return LatinText(text)
    raise WeightsFileError(f"its pickle encodes {shown(text)} as {shown(encoding)}; bytes must be a text in latin1")


def _is_payload(value: Any) -> bool:
    return isinstance(value, LatinText | bytes) or (isinstance(value, Skipped) and not value.is_text)


def _nested_file(_machine: _ObjectMachine, payload: Any) -> NestedFile:
    """`torch.storage._load_from_bytes`, which would run another pickle."""
    if not _is_payload(payload):
        raise WeightsFileError(f"its pickle takes a storage from {shown(payload)}, which must be bytes")
    return NestedFile(payload)


def _tensor(
    _machine: _ObjectMachine,
    storage: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    _requires_grad: Any = False,
    _hooks: Any = None,
    metadata: Any = None,
) -> TensorRecord:
    """`_rebuild_tensor` and `_rebuild_tensor_v2`."""
    if metadata:
        raise WeightsFileError(f"it holds a tensor with the lazy mark {shown(metadata)}; resolve it")
    if not isinstance(storage, NestedFile) or not is_view(offset, shape, strides):
        raise WeightsFileError(
            f"its pickle describes a tensor that cannot be: of {shown(storage)}, offset {shown(offset)}, "
            f"shape {shown(shape)}, strides {shown(strides)}"
        )
    return TensorRecord(storage, offset, shape, strides)


def _parameter(_machine: _ObjectMachine, data: Any, *_unused: Any) -> Any:
    if not isinstance(data, TensorRecord):
        raise WeightsFileError(f"its pickle has a parameter of {shown(data)}, which is no tensor")
    return data


def _size(_machine: _ObjectMachine, *values: Any) -> tuple[Any, ...]:
    return size_of(*values)


def _device(_machine: _ObjectMachine, *_place: Any) -> None:
    return None


def _persistent(_machine: _ObjectMachine, meta: Any) -> InertObject:
    """`_reconstruct_persistent_obj`, which would run the text under "module_src"."""
    match meta:
        case {"type": "class", "class_name": str() as name, "state": dict() as state}:
            return InertObject(name, state)
    raise WeightsFileError(f"its pickle describes a persistent object that cannot be: {shown(meta)}")


def _numpy_array(_machine: _ObjectMachine, kind: Any, _shape: Any, _code: Any) -> NumpyArray:
    if not isinstance(kind, Global) or kind.name != _NDARRAY:
        raise WeightsFileError(f"its pickle makes an array of {shown(kind)}; it must be numpy.ndarray")
    return NumpyArray()


def _numpy_type(_machine: _ObjectMachine, code: Any, _align: Any = False, _copy: Any = False) -> NumpyType:
    return NumpyType(code)


def _numpy_scalar(machine: _ObjectMachine, kind: Any, payload: Any) -> bool | int | float:
    if isinstance(kind, NumpyType) and _is_payload(payload) and not isinstance(payload, LatinText):
        if isinstance(payload, bytes):
            return number_of(kind, payload)
        if payload.count <= MAX_TEXT:
            return number_of(kind, bytes(machine.data[payload.start : payload.start + payload.count]))
    raise WeightsFileError(f"its pickle has a number of NumPy that cannot be: {shown(kind)} of {shown(payload)}")


_NDARRAY = "numpy.ndarray"
_NAMED = TENSOR_TYPES | {_NDARRAY}  # as arguments, never called
_DICTS = {"dnnlib.util.EasyDict", "collections.OrderedDict"}
_CALLS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(_DICTS, _empty_dict),
    "builtins.set": _set,
    "__builtin__.set": _set,
    "__builtin__.bytes": _empty_bytes,
    "_codecs.encode": _encoded,
    "torch.Size": _size,
    "torch.device": _device,
    "torch.storage._load_from_bytes": _nested_file,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
    "numpy.dtype": _numpy_type,
    **{f"numpy.{core}.multiarray.scalar": _numpy_scalar for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": _numpy_array for core in ("core", "_core")},
}
_ObjectMachine.constants = {**TensorMachine.constants, "EMPTY_SET": set}
_ObjectMachine.handlers = {
    **{name: handler for name, handler in TensorMachine.handlers.items() if name not in ("BUILD", "BINPERSID")},
    "BUILD": _ObjectMachine.build,
    "BINPERSID": _ObjectMachine.persistent_load,
    "NEWOBJ": _ObjectMachine.new_object,
    "ADDITEMS": _ObjectMachine.add_items,
}
