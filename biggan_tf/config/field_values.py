"""Brings values that come from a file to the types of a dataclass's fields, or says what they would have to be."""

import math
import reprlib
import types
import typing
from typing import Any

_MAX_INTEGER = 2**63 - 1
_NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}


def field_types(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields by name."""
    return typing.get_type_hints(cls)


def fitted(kind: Any, value: Any) -> Any:
    """A value in the type of its field.

    What Python would take for one of the type becomes one: 1 becomes true, 2.0 becomes 2, a list a tuple. Recipes hold
    such values, and so do the checkpoints of their runs.

    Args:
        kind: The type of the field. Only numbers, texts, tuples of them and None are checked.
        value: The value as `json` reads it.

    Raises:
        ValueError: If it cannot be; the error is a clause that says what must hold and what came.
    """
    wanted, result = _fitted(kind, value)
    if wanted is not None:
        raise ValueError(f"must be {wanted}. Received: {shown(value)}.")
    return result


def shown(value: Any) -> str:
    """A value as a short text of one line; its full text could be of any length."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python prints no integer of more than 4,300 digits.
        return "an integer of thousands of digits"


def _fitted(kind: Any, value: Any) -> tuple[str | None, Any]:
    """(what the value would have to be, None), or (None, the value)."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None, None
        results = [_fitted(argument, value) for argument in arguments if argument is not type(None)]
        fitting = [result for result in results if result[0] is None]
        return fitting[0] if fitting else (" or ".join(str(wanted) for wanted, _ in results), None)
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        results = [_fitted(arguments[0], item) for item in value] if isinstance(value, list | tuple) else [("", None)]
        if any(wanted is not None for wanted, _ in results):
            return f"a list, each item of it {_NAMES.get(arguments[0], 'of one type')}", None
        return None, tuple(item for _, item in results)
    if kind in _NAMES:
        return (None, kind(value)) if _is(kind, value) else (_NAMES[kind], None)
    return None, tuple(value) if isinstance(value, list) else value


def _is(kind: type, value: Any) -> bool:
    if kind is str:
        return isinstance(value, str)
    if isinstance(value, int):
        return abs(value) <= _MAX_INTEGER and (kind is not bool or value in (0, 1))
    if not isinstance(value, float) or math.isnan(value):
        return False
    return kind is float or (kind is int and value.is_integer() and abs(value) <= _MAX_INTEGER)
