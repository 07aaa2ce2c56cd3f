"""Counts the multiply-adds of a network, and the values that it puts out, while the network is traced."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator

_active: list[OperationCounter] = []


@dataclasses.dataclass(eq=False)  # Two counters of the same numbers are still two: `_active` looks one up.
class OperationCounter:
    """Totals over everything that was traced inside of `count_operations`.

    Attributes:
        multiply_adds: The count for each kind of operation ("convolution", "dense", "attention"). A multiply-add is two
            floating-point operations.
        output_values: How many numbers the operations put out. The backward pass needs them, so they must be stored.
    """

    multiply_adds: dict[str, int] = dataclasses.field(default_factory=dict)
    output_values: int = 0

    @property
    def total(self) -> int:
        return sum(self.multiply_adds.values())


@contextlib.contextmanager
def count_operations() -> Iterator[OperationCounter]:
    """Yields a counter to which every `record` inside of the `with` block adds."""
    counter = OperationCounter()
    _active.append(counter)
    try:
        yield counter
    finally:
        _active.remove(counter)


def record(kind: str, output_shape: Iterable[int | None], multiply_adds_each: float = 0) -> None:
    """Adds an operation to the counters of all `with` blocks that surround it.

    Args:
        kind: The key of `OperationCounter.multiply_adds` that the operation is counted under.
        output_shape: The shape of the result. A size that is None counts as 1, so that an unknown batch is one image.
        multiply_adds_each: How many multiply-adds each value of the result takes.
    """
    if not _active:
        return
    values = math.prod(1 if size is None else int(size) for size in output_shape)
    for counter in _active:
        counter.output_values += values
        counter.multiply_adds[kind] = counter.multiply_adds.get(kind, 0) + round(values * multiply_adds_each)
