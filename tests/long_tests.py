"""Tells the long tests from the fast ones: those of 1.2 seconds and more of a processor are in `long_tests.txt`.

pytest -n auto -m "not slow" --times=out/times   # measures what each test takes
python -m tests.long_tests out/times             # and writes the list anew

`make test` leaves them out, `make test-long` runs them. A test that is renamed counts as a fast one until it is
measured. What takes minutes, or starts several processes, is marked `slow` where it stands.
"""

from __future__ import annotations

import os
import pathlib
import resource
import sys
import time

import pytest

LIST = pathlib.Path(__file__).with_name("long_tests.txt")
LEAST_S = 1.2  # on two cores with AVX2; with AVX-512 it is half of that


def mark(items: list[pytest.Item]) -> None:
    """Marks the tests of the list `long`, but for those that are slow anyway."""
    names = set(LIST.read_text().splitlines())
    for item in items:
        if item.nodeid in names and item.get_closest_marker("slow") is None:
            item.add_marker("long")


class Times:
    """A plugin that writes the processor seconds of each test, and of the processes that it waited for, into a file.

    Args:
        folder: Gets a file for each process of pytest's.
    """

    def __init__(self, folder: str):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        self._path = pathlib.Path(folder) / f"{os.getpid()}.txt"

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None):
        """Measures a test with its fixtures, but for the last one of a process: it ends what all have shared."""
        begin = _processor_seconds()
        yield
        if nextitem is None:
            return
        with open(self._path, "a") as file:
            file.write(f"{_processor_seconds() - begin:.2f} {item.nodeid}\n")


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def write(folder: str, path: pathlib.Path = LIST) -> int:
    """Writes the list; returns how many tests it has.

    Args:
        folder: What `--times` wrote in a run of all tests that are not slow.
        path: The list.
    """
    lines = [line for file in sorted(pathlib.Path(folder).glob("*.txt")) for line in file.read_text().splitlines()]
    times = {name: float(seconds) for seconds, name in (line.split(" ", 1) for line in lines)}
    names = sorted(name for name, seconds in times.items() if seconds >= LEAST_S)
    path.write_text("".join(f"{name}\n" for name in names))
    return len(names)


if __name__ == "__main__":
    sys.stdout.write(f"{write(sys.argv[1])} tests are long: {LIST}\n")
