"""Walks through the modules of a pickled network: their tensors by the names of a state dict, and their arguments."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from biggan_tf.interop.nested_storages import Stored
from biggan_tf.interop.numpy_records import NumpyArray
from biggan_tf.interop.object_pickle import InertObject, TensorRecord
from biggan_tf.interop.pickle_instructions import MAX_TEXT
from biggan_tf.interop.tensor_refs import MAX_TENSORS
from biggan_tf.interop.weights_file_error import WeightsFileError, shown, shown_name

_MAX_PARTS = 40_000
_MAX_DEPTH = 32
_MAX_NAME = 256


@dataclasses.dataclass(frozen=True)
class Module:
    """One module of a pickled network.

    Attributes:
        place: Where it lies, for errors, such as "G_ema.synthesis".
        class_name: The name of its class, without its Python module.
        attributes: Its attributes by name.
    """

    place: str
    class_name: str
    attributes: Mapping[Any, Any]

    def children(self) -> dict[str, Module]:
        """The modules right below it, by name; an entry that is None stands for a module that is not there."""
        named = {}
        for name, value in _entries(self, "_modules"):
            if value is not None:
                named[name] = module_of(value, f"{self.place}.{name}")
        return named

    def child(self, name: str) -> Module:
        """The module of this name right below it."""
        children = _dict(self, "_modules")
        if name not in children:
            raise WeightsFileError(f"{shown_name(self.place)} must have a module {name!r}. Received: {shown(children)}")
        return module_of(children[name], f"{self.place}.{name}")

    def tensors(self) -> dict[str, Stored]:
        """Its own parameters and buffers, by name, without the buffers that a state dict leaves out."""
        left_out = self.attributes.get("_non_persistent_buffers_set", ())
        named: dict[str, Stored] = {}
        for kind in ("_parameters", "_buffers"):
            for name, value in _entries(self, kind):
                if value is None or (kind == "_buffers" and isinstance(left_out, set) and name in left_out):
                    continue
                if not isinstance(value, TensorRecord | NumpyArray):
                    raise WeightsFileError(
                        f"{shown_name(f'{self.place}.{name}')} must be a tensor. Received: {shown(value)}"
                    )
                named[name] = value
        return named

    def arguments(self, positional: Sequence[str] = ()) -> dict[str, Any]:
        """The arguments that its constructor was called with, by name.

        Args:
            positional: The names of the arguments that may have been given without a name, in their order.
        """
        given, named = self.attributes.get("_init_args", ()), self.attributes.get("_init_kwargs")
        if not isinstance(given, tuple | list) or not isinstance(named, dict) or len(given) > len(positional):
            raise WeightsFileError(
                f"{shown_name(self.place)} must hold the arguments of its constructor. "
                f"Received: {shown(given)} and {shown(named)}"
            )
        return {**dict(zip(positional, given, strict=False)), **named}


def module_of(value: Any, place: str) -> Module:
    """A value of a pickle as a module.

    Args:
        value: What the pickle holds.
        place: Where it lies, for errors.
    """
    if not isinstance(value, InertObject) or value.attributes is None:
        raise WeightsFileError(f"{shown_name(place)} must be a network or a part of one. Received: {shown(value)}")
    return Module(place, value.name.rpartition(".")[2], value.attributes)


def state_dict(module: Module) -> dict[str, Stored]:
    """All tensors of a module and of those below it, by their dotted names.

    Raises:
        WeightsFileError: If the modules are nested without an end, or are too many.
    """
    tensors: dict[str, Stored] = {}
    levels = [iter([("", module)])]
    seen = 0
    while levels:
        for prefix, each in levels[-1]:
            own, below = each.tensors(), each.children()
            seen += 1 + len(own) + len(below)
            if seen > _MAX_PARTS or len(levels) > _MAX_DEPTH or len(prefix) > MAX_TEXT:
                raise WeightsFileError(
                    f"{module.place} must have at most {_MAX_PARTS:,} modules and tensors, nested {_MAX_DEPTH} deep at "
                    f"the most and with names of at most {MAX_TEXT} characters. Received: more"
                )
            tensors.update({f"{prefix}{name}": tensor for name, tensor in own.items()})
            levels.append(iter([(f"{prefix}{name}.", child) for name, child in below.items()]))
            break
        else:
            levels.pop()
    return tensors


def _dict(module: Module, kind: str) -> dict[Any, Any]:
    entries = module.attributes.get(kind, {})
    if not isinstance(entries, dict) or len(entries) > MAX_TENSORS:
        raise WeightsFileError(f"{shown_name(module.place)} must have a dict {kind}. Received: {shown(entries)}")
    return entries


def _entries(module: Module, kind: str) -> list[tuple[str, Any]]:
    entries = _dict(module, kind)
    for name in entries:
        if not isinstance(name, str) or len(name) > _MAX_NAME:
            raise WeightsFileError(f"{shown_name(module.place)} has a part of the name {shown(name)}")
    return [*entries.items()]
