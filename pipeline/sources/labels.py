"""The name of a class that a data set gives as a number or as a name."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, names

_DIGITS = 5
_MAX_NAME = 200


def names_in(path: str) -> tuple[str, ...]:
    """The names of the classes in a file, one a line, in the order of their numbers."""
    lines = beam_files.read_text(path).splitlines()
    return tuple(names.to_text(line.strip()) for line in lines if line.strip())


def class_of(label: object, class_names: Sequence[str], where: str) -> str:
    """The name of a class.

    Args:
        label: The number or the name that the data set gives.
        class_names: The names of the numbers; (): unknown, and a number is written with leading zeros then, so that
            the order of the names is that of the numbers.
        where: What an error calls the example.

    Raises:
        PipelineError: If the label is neither, or the number of no class.
    """
    if isinstance(label, int) and not isinstance(label, bool):
        if not 0 <= label < (len(class_names) or 10**_DIGITS):
            raise PipelineError(
                f"{where}: a label must be from 0 to {(len(class_names) or 10**_DIGITS) - 1}. Received: {label}."
            )
        return class_names[label] if class_names else f"{label:0{_DIGITS}d}"
    if not isinstance(label, str) or not 0 < len(label.strip()) <= _MAX_NAME:
        raise PipelineError(f"{where}: a label must be a number or a name. Received: {str(label)[:80]!r}.")
    try:
        label.encode()
    except UnicodeEncodeError as error:
        raise PipelineError(f"{where}: a label must be Unicode text: {error}.") from error
    return names.to_text(label.strip())
