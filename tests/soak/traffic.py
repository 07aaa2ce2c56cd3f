"""What is counted during a soak: the requests by kind, what went wrong, and which versions could have answered."""

import collections
import threading
import time

_KEPT_TEXTS = 5


class Versions:
    """Which exports may answer a request, given when it was sent and answered."""

    def __init__(self):
        self._lock = threading.Lock()
        self._since = {}  # the export: [begin, end] of each time that it could answer

    def begin(self, export):
        with self._lock:
            self._since.setdefault(export, []).append([time.monotonic(), float("inf")])

    def end(self, export):
        with self._lock:
            self._since[export][-1][1] = time.monotonic()

    def between(self, sent, answered):
        with self._lock:
            return {
                export
                for export, spans in self._since.items()
                if any(begin <= answered and end >= sent for begin, end in spans)
            }


class Tally:
    """Counts by kind."""

    def __init__(self):
        self._lock = threading.Lock()
        self.right = collections.Counter()
        self.wrong = collections.Counter()
        self.failed = collections.Counter()
        self.hostile = collections.Counter()
        self.texts = []
        self.slowest_s = collections.Counter()

    def answer(self, kind, is_right, seconds):
        with self._lock:
            (self.right if is_right else self.wrong)[kind] += 1
            self.slowest_s[kind] = max(self.slowest_s[kind], seconds)

    def failure(self, kind, error):
        with self._lock:
            self.failed[kind] += 1
            if len(self.texts) < _KEPT_TEXTS:
                self.texts.append(f"{kind}: {error!r}"[:300])

    def attempt(self, kind):
        with self._lock:
            self.hostile[kind] += 1
