"""How many requests a second one peer may send."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_MAX_PEERS = 10_000


class RateLimit:
    """A bucket of tokens for each peer: it holds what one second brings, and a request takes one.

    A peer is remembered as the time at which its bucket will be full again, so a peer that was quiet for a second needs
    no memory. When too many peers are remembered the one that was heard of longest ago is forgotten.

    Args:
        requests_per_s: How many requests a second a peer may send; more than 0. Below 1 it is one request in
            `1 / requests_per_s` seconds.
    """

    def __init__(self, requests_per_s: float):
        self._interval_s = 1.0 / requests_per_s
        self._burst_s = max(1.0 - self._interval_s, 0.0)
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, peer: str) -> float:
        """Counts a request.

        Args:
            peer: Who sent it.

        Returns:
            0.0 if it may be answered, and else the seconds after which the peer may ask again.
        """
        with self._lock:
            now = time.monotonic()
            full_at = max(self._full_at.get(peer, now), now)
            wait_s = full_at - now - self._burst_s
            if wait_s > 1e-9:
                return wait_s
            self._full_at[peer] = full_at + self._interval_s
            self._full_at.move_to_end(peer)
            if len(self._full_at) > _MAX_PEERS:
                self._full_at.popitem(last=False)
        return 0.0
