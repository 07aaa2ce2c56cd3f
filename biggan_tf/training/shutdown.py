"""Lets a training end between two steps when its process is told to end, so that it can save a checkpoint first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from biggan_tf import stop_signals


class Shutdown:
    """A context in which SIGTERM and SIGINT set `requested` and do not end the process.

    That holds for the first signal of either kind. A second one of the same kind does what it did before the context
    was entered, so that whoever is in a hurry can still end the process at once. When the context is left, both signals
    do so again.

    Args:
        has_work: The first value of the attribute.

    Attributes:
        requested: Whether a signal has come. Whoever trains reads it after every step.
        has_work: Whether there is something to save. While there is not, a signal to a command (`stop_signals`) ends it
            at once: data may be prepared and graphs traced for longer than a scheduler waits.

    Example:
        >>> with Shutdown() as shutdown:
        ...     while not shutdown.requested:
        ...         train_one_step()
    """

    def __init__(self, has_work: bool = True) -> None:
        self.requested = False
        self.has_work = has_work
        self._seen: set[int] = set()
        self._earlier_handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Shutdown:
        # Python lets the main thread alone install handlers; in another one a signal does what it did before.
        if not stop_signals.listen(self._answer) and threading.current_thread() is threading.main_thread():
            for number in stop_signals.SIGNALS:
                self._earlier_handlers[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *unused: object) -> None:
        stop_signals.listen(None)
        for number, handler in self._earlier_handlers.items():
            signal.signal(number, handler)

    def _answer(self, number: int) -> bool:
        """What a command does, in the thread of `stop_signals`; returns whether it goes on for now."""
        if not self.has_work or number in self._seen:
            return False
        self._note(number)
        return True

    def _request(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._note(number)
        signal.signal(number, self._earlier_handlers[number])

    def _note(self, number: int) -> None:
        self.requested = True
        self._seen.add(number)
        stop_signals.say(f"{signal.Signals(number).name}: finishing this step, then saving. Once more ends at once.")
