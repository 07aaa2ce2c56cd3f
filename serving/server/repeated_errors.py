"""Keeps a loop that fails in the same way every second from filling the log."""

from __future__ import annotations

import threading

_MAX_KINDS = 20
_TEXT_LENGTH = 200


class RepeatedErrors:
    """Tells which errors of repeated work are new, so that each is logged once until the work succeeds again.

    Two errors are of one kind when their class and the beginning of their text are the same. Work that fails in more
    than twenty ways without a success in between is logged no further: its texts hold something that always changes.
    """

    def __init__(self) -> None:
        """Starts with no error seen."""
        self._lock = threading.Lock()
        self._kinds: dict[str, set[tuple[str, str]]] = {}

    def is_new(self, work: str, error: Exception | str) -> bool:
        """Whether an error should be logged.

        Args:
            work: What failed, e.g. the name of the model whose folder was listed.
            error: The error, or its text.
        """
        kind = (type(error).__qualname__, str(error)[:_TEXT_LENGTH])
        with self._lock:
            kinds = self._kinds.setdefault(work, set())
            if kind in kinds or len(kinds) >= _MAX_KINDS:
                return False
            kinds.add(kind)
            return True

    def succeeded(self, work: str) -> None:
        """Says that work succeeded: its next error is logged again."""
        with self._lock:
            self._kinds.pop(work, None)
