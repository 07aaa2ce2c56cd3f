"""Reads the pickles inside PyTorch's files without being able to run anything.

A pickle is a program for a small stack machine, and Python's own unpickler lets that program import
and call whatever it names. The machine here knows the instructions that plain containers and
tensors need, and the callables in `tensor_refs.CALLABLES`; it has no import, so nothing that a file
says can reach one. Tensors come out as `TensorRef`: their numbers lie elsewhere in the file.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

from biggan_tf.interop.pickle_instructions import MAX_INSTRUCTIONS, MAX_TEXT, Bytes, instructions
from biggan_tf.interop.tensor_refs import (
    CALLABLES,
    MAX_INTEGER,
    TENSOR_TYPES,
    Global,
    StorageRef,
    call,
    named_dtype,
    storage_of,
)
from biggan_tf.interop.weights_file_error import WeightsFileError, shown, shown_name


class _Mark:
    """The stack's mark; no value of a pickle is ever one."""


_MARK = _Mark()


@dataclasses.dataclass(frozen=True)
class TensorPickle:
    """What one pickle described.

    Attributes:
        root: Its root object.
        storages: Every storage that it named, by key.
        end: At which byte of the data it ended.
    """

    root: Any
    storages: dict[str, StorageRef]
    end: int


def load_tensor_pickle(data: Bytes, start: int = 0, max_instructions: int = MAX_INSTRUCTIONS) -> TensorPickle:
    """Reads one pickle.

    Args:
        data: The file, or a part of it.
        start: At which byte the pickle begins.
        max_instructions: How many instructions it may have. Each makes at most one value, so this bounds the memory.

    Raises:
        WeightsFileError: If the pickle is damaged, is too long, or uses what no tensor needs.
    """
    machine = TensorMachine()
    root, end = run(machine, data, start, max_instructions)
    return TensorPickle(root, machine.storages, end)


def run(machine: "TensorMachine", data: Bytes, start: int, max_instructions: int) -> tuple[Any, int]:
    """Lets a machine read one pickle.

    Args:
        machine: A new machine.
        data: The file, or a part of it.
        start: At which byte the pickle begins.
        max_instructions: How many instructions it may have.

    Returns:
        (root, end): the root object, and at which byte of the data the pickle ended.

    Raises:
        WeightsFileError: If the pickle is damaged, is too long, or uses what the machine does not know.
    """
    try:
        for name, argument, position, end in instructions(data, start, max_instructions):
            if name == "STOP":
                return machine.pop(), end
            machine.step(name, argument, position)
    except WeightsFileError:
        raise
    # Every way in which a damaged stream of instructions can fail ends in one of these.
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise WeightsFileError(f"its pickle is damaged ({error})") from error
    raise WeightsFileError("its pickle ends before its STOP instruction")


class TensorMachine:
    """The stack machine: its stack, its memo, and a method for each kind of instruction.

    Attributes:
        constants: By name, the instructions that put a value on the stack, and what makes the value.
        handlers: By name, the methods of the other instructions, those of literals, of the memo and of names left out.
        storages: Every storage that the pickle named, by key.
    """

    constants: ClassVar[dict[str, Callable[[], Any]]]
    handlers: ClassVar[dict[str, Callable[[Any], None]]]

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._globals: dict[str, Global] = {}
        self.storages: dict[str, StorageRef] = {}

    def step(self, name: str, argument: Any, position: int) -> None:
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._put(argument)
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self._stack.append(self._memo[argument])
        elif name in self.constants:
            self._stack.append(self.constants[name]())
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._push_global(argument)
        elif handler := self.handlers.get(name):
            handler(self)
        elif name not in ("PROTO", "FRAME"):
            detail = "" if argument is None else f" {shown(argument)}"
            raise WeightsFileError(
                f"its pickle uses the instruction {name}{detail} (byte {position}), which no file "
                "of tensors needs; nothing of it was run"
            )

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise WeightsFileError("its pickle is damaged (a mark where a value belongs)")
        return value

    def _top(self) -> Any:
        if self._stack[-1] is _MARK:
            raise WeightsFileError("its pickle is damaged (a mark where a value belongs)")
        return self._stack[-1]

    def _put(self, index: int) -> None:
        # Numbers of any size could be chosen so that all of them fall on one place of the dict.
        if not 0 <= index < 2**32:
            raise WeightsFileError(f"its pickle stores a value under the number {index}; must be from 0 to 2**32 - 1")
        self._memo[index] = self._top()

    def _pop_to_mark(self) -> list[Any]:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] is _MARK:
                values = self._stack[index + 1 :]
                del self._stack[index:]
                return values
        raise WeightsFileError("its pickle is damaged (no mark on the stack)")

    def _push_global(self, argument: str | None) -> None:
        if argument is None:
            attribute, module = self.pop(), self.pop()
            if not isinstance(attribute, str) or not isinstance(module, str):
                raise WeightsFileError(f"its pickle names a function by {shown(module)} and {shown(attribute)}")
        else:
            module, _, attribute = argument.partition(" ")
        name = f"{module}.{attribute}"
        if name not in self._globals:
            self._globals[name] = self.allowed(name)
        self._stack.append(self._globals[name])

    def allowed(self, name: str) -> Global:
        """The function or class of a name that a file of tensors needs; any other is refused."""
        if name in CALLABLES or name in TENSOR_TYPES or named_dtype(name) is not None:
            return Global(name)
        hint = (
            "save the module's state_dict() instead of the module"
            if name.startswith(("torch.nn.", "__main__"))
            else "do not trust this file, or save its state dict by itself"
        )
        raise WeightsFileError(
            f"its pickle asks for {shown_name(name)!r}, which is not needed to build tensors, so it is "
            f"refused and nothing of it was run; {hint}"
        )

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
        self._stack.append(self._top())

    def memoize(self) -> None:
        self._put(len(self._memo))

    def mark(self) -> None:
        self._stack.append(_MARK)

    def build(self) -> None:
        """`OrderedDict` attributes (torch's `_metadata`) are versions of layers: of no use here."""
        self.pop()
        if not isinstance(self._stack[-1], dict):
            raise WeightsFileError("its pickle sets the state of something that is not a dict")

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        self._stack.append(self.called(function, arguments))

    def called(self, function: Any, arguments: Any) -> Any:
        """What REDUCE puts on the stack."""
        return call(function, arguments)

    def persistent_load(self) -> None:
        storage = storage_of(self.pop())
        earlier = self.storages.setdefault(storage.key, storage)
        if earlier.dtype != storage.dtype:
            raise WeightsFileError(f"its storage {shown(storage.key)} is {earlier.dtype} and {storage.dtype}")
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
                raise WeightsFileError(
                    f"its pickle has a dict key of type {type(key).__name__}; must be an int, or a str of at most "
                    f"{MAX_TEXT} bytes"
                )
            # Integers of any size could be chosen so that all of them fall on one place of the dict.
            if isinstance(key, int) and abs(key) > MAX_INTEGER:
                raise WeightsFileError(f"its pickle has the dict key {key}, which does not fit into 64 bits")
            target[key] = value


TensorMachine.constants = {
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
    *("BINSTRING", "SHORT_BINSTRING", "STRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
TensorMachine.handlers = {
    "MARK": TensorMachine.mark,
    "POP": TensorMachine.discard,
    "POP_MARK": TensorMachine.discard_to_mark,
    "DUP": TensorMachine.duplicate,
    "MEMOIZE": TensorMachine.memoize,
    "TUPLE": TensorMachine.marked_tuple,
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "LIST": TensorMachine.marked_list,
    "DICT": TensorMachine.marked_dict,
    "APPEND": TensorMachine.append,
    "APPENDS": TensorMachine.appends,
    "SETITEM": TensorMachine.set_item,
    "SETITEMS": TensorMachine.set_items,
    "BUILD": TensorMachine.build,
    "REDUCE": TensorMachine.reduce,
    "BINPERSID": TensorMachine.persistent_load,
}
