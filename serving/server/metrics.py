"""Counters and histograms in Prometheus' text format, under TensorFlow Serving's names, and those of the process.

prometheus_client would append `_total` to the counters, which TensorFlow Serving does not.
"""

from __future__ import annotations

import bisect
import hashlib
import re
import threading

from serving.server import process_metrics

# tensorflow_serving/servables/tensorflow/util.cc: exponential buckets of 10 * 1.8^n microseconds.
_BUCKETS = tuple(10 * 1.8**n for n in range(33))
# Longer than every sensible path of a model.
_MAX_LABEL = 300


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _short(value: str) -> str:
    """The value of a label, of a length that is fit to keep; two long ones that differ stay different."""
    if len(value) <= _MAX_LABEL:
        return value
    digest = hashlib.sha256(value.encode(errors="replace")).hexdigest()[:16]
    return f"{value[:_MAX_LABEL]}...{digest}"


class _Family:
    """All series of one metric: a number, or a histogram, for each combination of the labels' values."""

    def __init__(self, name: str, kind: str, labels: tuple[str, ...]):
        self.name = re.sub(r"[^A-Za-z0-9_]", ":", name)
        self.kind, self.labels = kind, labels
        self.values: dict[tuple[str, ...], float] = {}
        self.counts: dict[tuple[str, ...], list[int]] = {}

    def _pairs(self, values: tuple[str, ...]) -> str:
        return ",".join(f'{k}="{_escape(v)}"' for k, v in zip(self.labels, values, strict=True))

    def lines(self) -> list[str]:
        lines = [f"# TYPE {self.name} {self.kind}"]
        for values, value in self.values.items():
            if self.kind != "histogram":
                lines.append(f"{self.name}{{{self._pairs(values)}}} {value:.17g}")
                continue
            total = 0
            pairs = self._pairs(values) + "," if values else ""
            for bound, count in zip((*_BUCKETS, "+Inf"), self.counts[values], strict=True):
                total += count
                edge = bound if bound == "+Inf" else f"{bound:.6g}"
                lines.append(f'{self.name}_bucket{{{pairs}le="{edge}"}} {total}')
            lines.append(f"{self.name}_sum{{{self._pairs(values)}}} {value:.17g}")
            lines.append(f"{self.name}_count{{{self._pairs(values)}}} {total}")
        return lines


class Metrics:
    """The server's metrics; every method may be called from any thread.

    Labels can come from a peer or grow with every version, so both their lengths and the number of the series are
    bounded: long ones are cut, and what would be one series too many is counted under `other`.
    """

    _MAX_SERIES = 500

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._families = {
            key: _Family(f"/tensorflow/serving/{key}", kind, labels)
            for key, kind, labels in (
                ("request_count", "counter", ("model_name", "status")),
                ("request_latency", "histogram", ("model_name", "API", "entrypoint")),
                ("runtime_latency", "histogram", ("model_name", "API", "runtime")),
                ("batching_session/queuing_latency", "histogram", ("thread_pool_name",)),
                ("model_warmup_latency", "histogram", ("model_path", "status")),
                ("model_warmup_records_read", "counter", ("model_path",)),
                ("requests_in_flight", "gauge", ()),
            )
        }

    def add(self, key: str, amount: float, *labels: str) -> None:
        """Adds to a counter or gauge.

        Args:
            key: The metric, without "/tensorflow/serving/".
            amount: What to add.
            *labels: The values of its labels.
        """
        with self._lock:
            family = self._families[key]
            labels = self._bounded(family, labels)
            family.values[labels] = family.values.get(labels, 0.0) + amount

    def observe(self, key: str, value: float, *labels: str) -> None:
        """Adds one observation, in microseconds, to a histogram; the other arguments are those of `add`."""
        with self._lock:
            family = self._families[key]
            labels = self._bounded(family, labels)
            counts = family.counts.setdefault(labels, [0] * (len(_BUCKETS) + 1))
            counts[bisect.bisect_left(_BUCKETS, value)] += 1
            family.values[labels] = family.values.get(labels, 0.0) + value

    def render(self) -> str:
        """The page that Prometheus reads."""
        with self._lock:
            counted = [line for family in self._families.values() for line in family.lines()]
        return "\n".join(counted + process_metrics.lines()) + "\n"

    def _bounded(self, family: _Family, labels: tuple[str, ...]) -> tuple[str, ...]:
        if labels in family.values:
            return labels
        labels = tuple(map(_short, labels))
        if labels in family.values or len(family.values) < self._MAX_SERIES:
            return labels
        return ("other", *labels[1:]) if labels else labels
