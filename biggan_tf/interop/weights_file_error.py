"""The error that every reader of weights files raises, and how it shows what a file holds.

They stand alone, because all of these readers import them.
"""

import reprlib

_MAX_SHOWN = 120


class WeightsFileError(ValueError):
    """Is raised for a weights file that is damaged, holds something else, could run code, or does not fit."""


def shown(value: object) -> str:
    """A value of a file as a short text of one line, for an error.

    A value can be nested so that its full text would take hours or gigabytes, or be a text that would clear the
    terminal that it is printed on.
    """
    text = reprlib.repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def shown_name(name: str) -> str:
    """The name of a tensor for an error: as it is, or as `shown` does it where it is long or cannot be printed."""
    return name if len(name) <= _MAX_SHOWN and name.isprintable() else shown(name)
