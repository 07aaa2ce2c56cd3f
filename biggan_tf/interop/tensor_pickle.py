"""Reads the pickles inside PyTorch's files without being able to run anything.

A pickle is a program for a small stack machine, and Python's own unpickler lets that program import
and call whatever it names. The machine here knows the instructions that plain containers and
tensors need, and the callables in `tensor_refs.CALLABLES`; it has no import, so nothing that a file
says can reach one. Tensors come out as `TensorRef`: their numbers lie elsewhere in the file.
"""

import dataclasses
import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO

from biggan_tf.interop.tensor_refs import (
    CALLABLES,
    TENSOR_TYPES,
    Global,
    StorageRef,
    call,
    named_dtype,
    storage_of,
)
from biggan_tf.interop.weights_file_error import WeightsFileError


class _Mark:
    """The stack's mark; no value of a pickle is ever one."""


@dataclasses.dataclass(frozen=True)
class TensorPickle:
    """What one pickle described: its root object, and every storage it named, by key."""

    root: Any
    storages: dict[str, StorageRef]


def load_tensor_pickle(stream: BinaryIO) -> TensorPickle:
    """Reads one pickle from the stream and leaves the stream behind its end.

    Raises:
        WeightsFileError: if the pickle is damaged, or names what no tensor needs.
    """
    machine = _Machine()
    try:
        for opcode, argument, position in pickletools.genops(stream):
            if opcode.name == "STOP":
                return TensorPickle(machine.pop(), machine.storages)
            machine.step(opcode.name, argument, position or 0)
    except WeightsFileError:
        raise
    # Every way in which a damaged stream of instructions can fail ends in one of these.
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise WeightsFileError(f"its pickle is damaged ({error})") from error
    raise WeightsFileError("its pickle ends before its STOP instruction")


class _Machine:
    """The stack, the memo, and one method an instruction family."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self.storages: dict[str, StorageRef] = {}

    def step(self, name: str, argument: Any, position: int) -> None:
        if name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _LITERALS:
            self._stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[argument] = self._stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self._stack.append(self._memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._push_global(argument)
        elif handler := _HANDLERS.get(name):
            handler(self)
        elif name not in ("PROTO", "FRAME"):
            detail = "" if argument is None else f" {argument!r}"
            raise WeightsFileError(
                f"its pickle uses the instruction {name}{detail} (byte {position}), which no file "
                "of tensors needs; nothing of it was run"
            )

    def pop(self) -> Any:
        value = self._stack.pop()
        if isinstance(value, _Mark):
            raise WeightsFileError("its pickle is damaged (a mark where a value belongs)")
        return value

    def _pop_to_mark(self) -> list[Any]:
        for index in range(len(self._stack) - 1, -1, -1):
            if isinstance(self._stack[index], _Mark):
                values = self._stack[index + 1 :]
                del self._stack[index:]
                return values
        raise WeightsFileError("its pickle is damaged (no mark on the stack)")

    def _push_global(self, argument: str | None) -> None:
        if argument is None:
            attribute, module = self.pop(), self.pop()
        else:
            module, _, attribute = argument.partition(" ")
        name = f"{module}.{attribute}"
        if not (name in CALLABLES or name in TENSOR_TYPES or named_dtype(name) is not None):
            hint = (
                "save the module's state_dict() instead of the module"
                if name.startswith(("torch.nn.", "__main__"))
                else "do not trust this file, or save its state dict by itself"
            )
            raise WeightsFileError(
                f"its pickle asks for {name!r}, which is not needed to build tensors, so it is "
                f"refused and nothing of it was run; {hint}"
            )
        self._stack.append(Global(name))

    def tuple_of(self, count: int) -> None:
        values = tuple(self.pop() for _ in range(count))[::-1]
        self._stack.append(values)

    def marked_tuple(self) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def marked_list(self) -> None:
        self._stack.append(self._pop_to_mark())

    def marked_dict(self) -> None:
        values = self._pop_to_mark()
        self._stack.append({})
        self._update(values)

    def append(self) -> None:
        self._extend([self.pop()])

    def appends(self) -> None:
        self._extend(self._pop_to_mark())

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self._update([key, value])

    def set_items(self) -> None:
        self._update(self._pop_to_mark())

    def discard(self) -> None:
        self._stack.pop()

    def discard_to_mark(self) -> None:
        self._pop_to_mark()

    def duplicate(self) -> None:
        self._stack.append(self._stack[-1])

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def mark(self) -> None:
        self._stack.append(_Mark())

    def build(self) -> None:
        """`OrderedDict` attributes (torch's `_metadata`) are versions of layers: of no use here."""
        self.pop()
        if not isinstance(self._stack[-1], dict):
            raise WeightsFileError("its pickle sets the state of something that is not a dict")

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        self._stack.append(call(function, arguments))

    def persistent_load(self) -> None:
        storage = storage_of(self.pop())
        known = self.storages.setdefault(storage.key, storage)
        if known.dtype != storage.dtype:
            raise WeightsFileError(f"its storage {storage.key!r} is {known.dtype} and {storage.dtype}")
        self._stack.append(storage)

    def _extend(self, values: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise WeightsFileError("its pickle appends to something that is not a list")
        self._stack[-1].extend(values)

    def _update(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(values) % 2:
            raise WeightsFileError("its pickle sets items of something that is not a dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Nested tuples can take exponential time to hash; no state dict has one as its key.
            if not isinstance(key, str | int):
                raise WeightsFileError(f"its pickle has a dict key of type {type(key).__name__}; must be str or int")
            target[key] = value


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
    *("BINSTRING", "SHORT_BINSTRING", "STRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_HANDLERS: dict[str, Callable[[_Machine], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.discard,
    "POP_MARK": _Machine.discard_to_mark,
    "DUP": _Machine.duplicate,
    "MEMOIZE": _Machine.memoize,
    "TUPLE": _Machine.marked_tuple,
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "LIST": _Machine.marked_list,
    "DICT": _Machine.marked_dict,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "BUILD": _Machine.build,
    "REDUCE": _Machine.reduce,
    "BINPERSID": _Machine.persistent_load,
}
