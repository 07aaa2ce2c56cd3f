"""What oneDNN brings on this processor and, emulated by ONEDNN_MAX_CPU_ISA, on one that has AVX2 alone.

    python -m tests.benchmarks.run environment

TensorFlow reads both variables once in a process, so that each combination has a process of its own; they take turns.
The shortest call of each counts, for other work on the machine can only lengthen one.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

TITLE = "oneDNN on against off, float32: images/s by the shortest call; ratio = on / off"
KINDS = {"this processor": "DEFAULT", "as AVX2": "AVX2"}
SIZES = ((32, 16, 50), (128, 16, 16))  # pixels, ch, batch
WORK = {"step, 2 D": 0, "G forward": 0, "one row": 1, "eight rows": 8}  # its batch; 0: the size's
ROUNDS, ROUND_S = 5, 1.0


class Process:
    """A process with its own environment that times work when it is asked."""

    def __init__(self, size: tuple[int, int, int], one_dnn: str, isa: str):
        environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": one_dnn, "ONEDNN_MAX_CPU_ISA": isa}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.environment_bench", *map(str, size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def rate(self, work: str) -> float:
        """Images per second in the shortest call of a round."""
        self._process.stdin.write(work + "\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def measure(sizes=SIZES) -> Iterator[dict]:
    """Every kind of processor, size and work."""
    for size in sizes:
        for kind, isa in KINDS.items():
            on, off = (Process(size, one_dnn, isa) for one_dnn in ("1", "0"))
            for work in WORK:
                on.rate(work), off.rate(work)  # the graph is built, the kernels are chosen
                rates = [(on.rate(work), off.rate(work)) for _ in range(ROUNDS)]
                best_on, best_off = (max(column) for column in zip(*rates, strict=True))
                yield {
                    "processor": kind,
                    "pixels": size[0],
                    "ch": size[1],
                    "work": work,
                    "on": best_on,
                    "off": best_off,
                    "ratio": best_on / best_off,
                }
            on.close()
            off.close()


def _answer(resolution: int, channels: int, batch: int) -> None:
    from tests.benchmarks import networks_bench

    subjects = {}
    for line in sys.stdin:
        name = line.strip()
        rows = WORK[name] or batch
        if rows not in subjects:
            subjects[rows] = networks_bench.Subject(resolution, channels, rows, "float32", fused=True)
        function = subjects[rows].work[name if name in subjects[rows].work else "G forward"]
        sys.stdout.write(f"{rows / _shortest(function)}\n")
        sys.stdout.flush()


def _shortest(function: Callable[[], Any]) -> float:
    shortest, end = math.inf, time.perf_counter() + ROUND_S
    while time.perf_counter() < end:
        start = time.perf_counter()
        function().numpy()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


if __name__ == "__main__":
    _answer(*map(int, sys.argv[1:]))
