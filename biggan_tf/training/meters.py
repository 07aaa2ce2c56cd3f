"""What a run measures between two lines of metrics.jsonl: the means of the steps' scalars, and the time they took."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

_LATEST = (
    "learning_rate",
    "loss_scale",
    "overflows",
    "ema_decay",
    "lod",
    "resolution",
    "augmentation_probability",
    "bad_gradient",
)
_ELAPSED = "elapsed_s"  # among what is collected: how many seconds and steps it is about


class Meters:
    """Collects the scalars of steps, and gives their means and the time that these steps took.

    Of scalars that describe a state, such as the learning rate, the latest value stands for the mean. A value that is
    not finite, such as the norm of a gradient in a step that the loss scale skipped, is left out. A checkpoint keeps
    what was collected, so that a run that goes on from it reports on the same steps as one that was never stopped.

    Args:
        step: How many steps have been done.
        stored: What `collected` returned at this step; empty or None: nothing was collected.
    """

    def __init__(self, step: int, stored: Mapping[str, Sequence[float]] | None = None) -> None:
        stored = stored or {}
        elapsed, steps, _ = stored.get(_ELAPSED, (0.0, 0.0, 0.0))
        self._step, self._begin = step - int(steps), time.perf_counter() - elapsed
        # By name: the sum, the number of values, the latest value.
        self._values = {name: [float(n) for n in numbers] for name, numbers in stored.items() if name != _ELAPSED}

    def add(self, report: Mapping[str, float]) -> None:
        """Adds the scalars of one step.

        Args:
            report: The scalars by name; a name may be missing in some steps.
        """
        for name, value in report.items():
            if not math.isfinite(value):
                continue
            total, count, _ = self._values.get(name, (0.0, 0.0, 0.0))
            self._values[name] = [total + value, count + 1, value]

    def take(self, step: int) -> tuple[dict[str, float], int, float]:
        """What was collected since the last call of this method, which begins a new collection.

        Args:
            step: How many steps have been done.

        Returns:
            (the means by name, the number of steps, how many seconds they took).
        """
        now = time.perf_counter()
        means = {
            name: latest if name.endswith(_LATEST) else total / count
            for name, (total, count, latest) in self._values.items()
        }
        steps, elapsed = step - self._step, max(now - self._begin, 1e-9)
        self._step, self._begin, self._values = step, now, {}
        return means, steps, elapsed

    def collected(self, step: int) -> dict[str, list[float]]:
        """What was collected since the last call of `take`, for a checkpoint: three numbers by name; {}: nothing.

        Args:
            step: How many steps have been done.
        """
        if step == self._step:
            return {}
        return {**self._values, _ELAPSED: [time.perf_counter() - self._begin, float(step - self._step), 0.0]}
