"""Counts what a network does while it is traced: multiply-adds and the values it puts out, by operation."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence

_active: list[OperationCounter] = []


@dataclasses.dataclass
class OperationCounter:
    """Totals over everything traced inside `count_operations`.

    Attributes:
        multiply_adds: By kind of operation ("convolution", "dense", "attention"). One is two floating-point operations.
        output_values: Numbers put out by layers whose result the backward pass needs.
    """

    multiply_adds: dict[str, int] = dataclasses.field(default_factory=dict)
    output_values: int = 0

    @property
    def total(self) -> int:
        return sum(self.multiply_adds.values())


@contextlib.contextmanager
def count_operations() -> Iterator[OperationCounter]:
    """Every `record` inside the block adds to the counter that it yields."""
    counter = OperationCounter()
    _active.append(counter)
    try:
        yield counter
    finally:
        _active.remove(counter)


def record(kind: str, output_shape: Sequence[int | None], multiply_adds_each: float = 0) -> None:
    """Adds an operation to the active counters.

    Args:
        kind: What it is counted under.
        output_shape: Shape of the result; an unknown batch counts as one image.
        multiply_adds_each: For each value of the result.
    """
    if not _active:
        return
    values = math.prod(1 if size is None else int(size) for size in output_shape)
    for counter in _active:
        counter.output_values += values
        counter.multiply_adds[kind] = counter.multiply_adds.get(kind, 0) + round(values * multiply_adds_each)
