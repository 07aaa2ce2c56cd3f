"""The error that every reader of weights files raises, and how it names a file and shows what the file holds.

They stand alone, because all of these readers import them.
"""

import contextlib
import os
import reprlib
from collections.abc import Iterator

_MAX_SHOWN = 120


class WeightsFileError(ValueError):
    """Is raised for a weights file that is damaged, holds something else, could run code, or does not fit."""


@contextlib.contextmanager
def errors_naming(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Inside, a `WeightsFileError` says what is wrong with a file; the path of the file is put in front of it.

    Args:
        path: The path of the file.
        what: What is read from the file, such as "tensors".
    """
    try:
        yield
    except WeightsFileError as error:
        raise WeightsFileError(f"cannot read {what} from {os.fspath(path)}: {error}") from error.__cause__


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
