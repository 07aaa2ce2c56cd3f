"""When a call is tried again: while the server is busy or away, with growing pauses, inside the deadline."""

from __future__ import annotations

import random
import time
from typing import Any

import grpc

from serving.client.errors import explain

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class Retries:
    """The tries of one call.

    Args:
        target: Who is called, for the error.
        deadline: On the clock of `time.monotonic`.
    """

    def __init__(self, target: str, deadline: float):
        self._target, self._deadline = target, deadline
        self._pause_s = FIRST_PAUSE_S

    def time_left_s(self) -> float:
        """Returns the seconds that the next try may take."""
        return max(self._deadline - time.monotonic(), 0.001)

    def pause_after(self, error: Any) -> float:
        """Returns the seconds to wait before the next try, each time twice as many, shortened by chance.

        Raises:
            ClientError: There is no next try: another one would not help, or would come too late.
        """
        pause_s = self._pause_s * random.uniform(0.5, 1.0)
        if error.code() not in RETRIED or time.monotonic() + pause_s >= self._deadline:
            raise explain(error, self._target) from error
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s
