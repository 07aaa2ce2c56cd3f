"""Turns SIGTERM and SIGINT into a wish that the loop grants between two steps."""

from __future__ import annotations

import logging
import signal
from types import FrameType
from typing import Any

_LOGGER = logging.getLogger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """While open, the first signal is noted; a second one of the same kind acts as it would have before."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Shutdown:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        _LOGGER.warning("%s: finishing this step, then saving. Once more ends at once.", signal.Signals(number).name)
        self.requested = True
        signal.signal(number, self._before[number])
