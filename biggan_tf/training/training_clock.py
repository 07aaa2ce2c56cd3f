"""Counts how long a run has trained, over all the processes that it was resumed in."""

from __future__ import annotations

import math
import time

from biggan_tf.training.compute_report import num_cores

WALL, PROCESSOR = "wall", "processor"


def reading(kind: str) -> float:
    """The seconds that a clock shows, from some moment on.

    Args:
        kind: WALL, or PROCESSOR: the time that this process has had of all cores together, divided by their number. On
            a machine that has other work, equal times of the latter are equal amounts of computation. It runs more
            slowly where a core is idle, so a run that keeps the cores less busy may take longer by a wall clock.
    """
    if kind == PROCESSOR:
        return time.process_time() / num_cores()
    return time.perf_counter()


class TrainingClock:
    """Adds up the seconds that steps took.

    What happens between two steps, such as an evaluation or a checkpoint, is not counted, and neither is a step for
    which graphs were traced and compiled first. Otherwise a run that is resumed would be charged for its start twice,
    and runs whose evaluations take longer would train for less time.

    Args:
        seconds: How long the run had trained when its checkpoint was written; 0, the default, for a new run.

    Attributes:
        seconds: How long the run has trained.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = self._before = seconds

    def add(self, seconds: float, compiled: bool = False) -> None:
        """Adds a step.

        Args:
            seconds: How long it took.
            compiled: Whether its graphs were traced first; it is not counted then.
        """
        self._before = self.seconds
        self.seconds += 0.0 if compiled else seconds

    def passed(self, interval_s: float) -> bool:
        """Whether a multiple of an interval was reached in the latest step; never where the interval is 0."""
        return interval_s > 0.0 and math.floor(self._before / interval_s) < math.floor(self.seconds / interval_s)

    def reached(self, limit_s: float) -> bool:
        """Whether the run has trained for as long as a limit; never where the limit is 0."""
        return limit_s > 0.0 and self.seconds >= limit_s
