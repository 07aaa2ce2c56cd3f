"""How far work of more than a few seconds is, and how long it will still take, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TypeVar

import tqdm

_EVERY_S = 10.0  # where there is no terminal, each report is one more line of a log
T = TypeVar("T")


def track(items: Iterable[T], total: int | None, name: str, unit: str, shown: bool = True) -> Iterator[T]:
    """The items themselves, while a bar tells how many of them were taken.

    Args:
        items: What is worked on, one by one.
        total: How many there are; None: nobody knows.
        name: What the work is called.
        unit: What an item is called.
        shown: Whether anything is shown; it is by default.
    """
    with _bar(total, name, unit, shown) as bar:
        for item in items:
            yield item
            bar.update()


def duration(seconds: float) -> str:
    """A length of time for a person, e.g. "40 s", "1 h 05 min" or "2 days 4 h"; a negative one counts as none."""
    minutes = round(max(seconds, 0.0) / 60)
    if minutes < 1:
        return f"{round(max(seconds, 0.0))} s"
    hours, days = minutes // 60, round(minutes / 60) // 24
    if days > 1:
        return f"{days} days {round(minutes / 60) % 24} h"
    return f"{hours} h {minutes % 60:02d} min" if hours else f"{minutes} min"


class Parts:
    """Tells which part of a piece of work is being done. A bar counts the parts, whatever time each takes.

    Args:
        names: The parts in their order.
        shown: Whether anything is shown; it is by default.

    Example:
        >>> with Parts(["load", "measure"]) as parts:
        ...     parts.begin("load")
    """

    def __init__(self, names: Sequence[str], shown: bool = True):
        self._names = list(names)
        self._bar = _bar(len(self._names), "", "part", shown)

    def begin(self, name: str) -> None:
        """Says that a part begins, and that those before it are done."""
        self._bar.set_description(name, refresh=False)
        self._bar.n = self._names.index(name)
        self._bar.refresh()

    def __enter__(self) -> Parts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._bar.n = len(self._names)
            self._bar.refresh()
        self._bar.close()


def _bar(total: int | None, name: str, unit: str, shown: bool) -> tqdm.tqdm:
    every_s = 0.1 if sys.stderr.isatty() else _EVERY_S
    return tqdm.tqdm(
        total=total,
        desc=name or None,
        unit=unit,
        disable=not shown,
        mininterval=every_s,
        maxinterval=every_s,
        dynamic_ncols=True,
    )
