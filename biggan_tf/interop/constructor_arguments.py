"""Checks the arguments that a pickled network was built with, which a stranger may have written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from biggan_tf.interop.weights_file_error import WeightsFileError, shown, shown_name

_LARGEST = 1 << 20
_MAX_SPREAD = 1000


class Arguments:
    """The arguments of one constructor. Each is taken once; what is left over in the end is an error.

    Args:
        values: The arguments by name.
        place: What errors call the network, such as "G_ema".

    Attributes:
        place: What errors call the network.
    """

    def __init__(self, values: Mapping[Any, Any], place: str) -> None:
        self._values = values
        self._taken: set[str] = set()
        self.place = place

    def __contains__(self, name: str) -> bool:
        return name in self._values and name not in self._taken

    def _take(self, name: str, default: object = None) -> Any:
        given = name in self
        self._taken.add(name)
        return self._values[name] if given else default

    def integer(self, name: str, default: int | None = None, least: int = 0, most: int = _LARGEST) -> int:
        """Takes an integer between two bounds.

        Args:
            name: The argument.
            default: Its value where it is not given; None: it must be.
            least: The smallest value.
            most: The largest value.
        """
        return self._integer(name, self._take(name, default), least, most)

    def _integer(self, name: str, value: object, least: int, most: int) -> int:
        if type(value) is not int or not least <= value <= most:
            raise self._error(name, f"an integer from {least} to {most}", value)
        return value

    def optional_integer(self, name: str, least: int = 0, most: int = _LARGEST) -> int | None:
        """Takes an integer that may also be None, which is its default."""
        value = self._take(name)
        return None if value is None else self._integer(name, value, least, most)

    def number(self, name: str, default: float) -> float:
        """Takes a finite number above 0."""
        return self._number(name, self._take(name, default))

    def _number(self, name: str, value: Any) -> float:
        # No range holds an undefined or infinite number.
        if type(value) not in (int, float) or not 0 < value <= _LARGEST:
            raise self._error(name, f"a number above 0, at most {_LARGEST}", value)
        return float(value)

    def optional_number(self, name: str, default: float | None = None) -> float | None:
        """Takes a number above 0 that may also be None."""
        value = self._take(name, default)
        return None if value is None else self._number(name, value)

    def flag(self, name: str, default: bool) -> bool:
        """Takes True or False."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self._error(name, "True or False", value)
        return value

    def text(self, name: str, default: str, choices: Iterable[str]) -> str:
        """Takes one of several texts."""
        value = self._take(name, default)
        if not isinstance(value, str) or value not in choices:
            raise self._error(name, f"one of {', '.join(choices)}", value)
        return value

    def require(self, name: str, *allowed: object) -> None:
        """Takes an argument that may only have one of these values, or not be given."""
        if name in self:
            value = self._take(name)
            if not any(type(value) is type(each) and value == each for each in allowed):
                raise self._error(name, " or ".join(map(repr, allowed)), value)

    def nested(self, name: str) -> Arguments:
        """Takes a dict of further arguments; an empty one where it is not given."""
        value = self._take(name)
        if value is not None and not isinstance(value, dict):
            raise self._error(name, "a dict", value)
        return Arguments(value or {}, f"{self.place}: {name}")

    def spread(self, name: str) -> None:
        """Takes a dict of further arguments and lets them count as arguments of this constructor."""
        nested = self.nested(name)
        if len(nested._values) > _MAX_SPREAD or set(nested._values) & set(self._values):
            raise self._error(name, "a dict of arguments that are given once", nested._values)
        self._values = {**self._values, **nested._values}

    def drop(self, *names: str) -> None:
        """Takes arguments that change nothing that is computed here."""
        self._taken.update(names)

    def finish(self) -> None:
        """Raises WeightsFileError if an argument has not been taken."""
        for name, value in self._values.items():
            if name not in self._taken:
                raise WeightsFileError(
                    f"{shown_name(self.place)} was built with an argument that has no counterpart here: "
                    f"{shown_name(str(name))}={shown(value)}"
                )

    def _error(self, name: str, wanted: str, value: object) -> WeightsFileError:
        return WeightsFileError(
            f"{shown_name(self.place)} can be built only where its argument {name} is {wanted}. "
            f"Received: {shown(value)}"
        )
