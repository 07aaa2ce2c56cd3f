"""Shows how far a comparison is: which run of how many, its step, and how long all of it still takes."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from biggan_tf import files
from biggan_tf.comparison.plan import PlannedRun
from biggan_tf.progress import duration
from biggan_tf.training.run_log import METRICS

_LINE_EVERY_S = 60.0  # where there is no terminal
_TAIL_BYTES = 1 << 16
_SETTLED_S = 20.0  # of training, before the time around the steps is taken for typical


class Progress:
    """Writes the state of a comparison: on a terminal one line that changes, else a line a minute.

    Args:
        runs: All runs of the comparison.
        num_done: How many of them were complete when this process began.
        stream: Where to write; None: stderr.
    """

    def __init__(self, runs: Sequence[PlannedRun], num_done: int, stream: TextIO | None = None):
        self._total, self._todo = len(runs), len(runs) - num_done
        self._budget_s = 60.0 * runs[0].config.training.max_minutes
        self._stream = stream or sys.stderr
        self._durations: list[float] = []
        self._begin = self._latest = time.monotonic()
        self._first_seconds: tuple[float, float] | None = None  # (when, training seconds) of the first report here
        self._earlier_s = 0.0  # how long the present run took before this process began
        self._number, self._name, self._width = 0, "", 0

    def start(self, number: int, run: PlannedRun) -> None:
        """A run begins; runs are counted from 1."""
        self._number, self._name = number, run.name
        self._begin, self._first_seconds, self._earlier_s = time.monotonic(), None, 0.0

    def finish(self) -> None:
        """The run that began last is complete."""
        self._durations.append(self._elapsed_s())
        self._todo -= 1

    def training(self, run: PlannedRun) -> None:
        """Shows the newest line of a training's log."""
        values = newest_report(run.workdir)
        if values is None:
            self.show("starting")
            return
        seconds, left = values["training_seconds"], values["seconds_left"]
        now = time.monotonic()
        if self._first_seconds is None:
            self._first_seconds = (now, seconds)
        trained, pace = seconds - self._first_seconds[1], 1.0
        if trained > _SETTLED_S:  # evaluations and checkpoints take time, too
            pace = max(1.0, (now - self._first_seconds[0]) / trained)
        left *= pace
        self._earlier_s = pace * max(0.0, self._first_seconds[1] - (self._first_seconds[0] - self._begin))
        total = run.config.training.max_minutes
        steps = f"step {values['step']:,.0f}" + ("" if total else f" of {run.config.training.num_steps:,}")
        minutes = f"{seconds / 60:.1f}{f' of {total:g}' if total else ''} min"
        self.show(f"{steps}, {values['images_per_second']:.0f} img/s, {minutes}", left)

    def show(self, what: str, left_s: float | None = None) -> None:
        """Shows what the present run does.

        Args:
            what: The activity, such as "evaluating".
            left_s: How many seconds the run still takes; None: it is not known.
        """
        text = f"run {self._number} of {self._total}, {self._name}: {what}"
        left = self.seconds_left(left_s)
        if left is not None:
            text += f"; {duration(left)} left in all"
        self._write(text)

    def seconds_left(self, left_s: float | None) -> float | None:
        """How long all runs still take; None: nobody knows.

        A run to come takes as long as those before it, else as the present one, else as the budget of minutes.

        Args:
            left_s: How long the present run still takes; None: as long as a whole run, less what it took already.
        """
        elapsed = self._elapsed_s()
        if self._durations:
            typical = sum(self._durations) / len(self._durations)
        elif left_s is not None:
            typical = elapsed + left_s
        elif self._budget_s:
            typical = self._budget_s
        else:
            return None
        present = max(0.0, typical - elapsed) if left_s is None else left_s
        return present + typical * (self._todo - 1)

    def _elapsed_s(self) -> float:
        """How long the present run took so far, earlier processes included."""
        return self._earlier_s + time.monotonic() - self._begin

    def close(self) -> None:
        """Ends the line on a terminal."""
        if self._width:
            self._stream.write("\n")
            self._stream.flush()

    def _write(self, text: str) -> None:
        if self._stream.isatty():
            text = text[: max(1, shutil.get_terminal_size().columns - 1)]
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        elif time.monotonic() - self._latest >= _LINE_EVERY_S:
            self._latest = time.monotonic()
            self._stream.write(f"{text}\n")
        self._stream.flush()


def newest_report(workdir: str) -> dict[str, float] | None:
    """The last regular line of a run's metrics.jsonl; None: there is none yet."""
    path = files.join(workdir, METRICS)
    if not files.exists(path):
        return None
    with files.open_binary(path) as file:
        file.seek(max(0, files.size(path) - _TAIL_BYTES))
        tail = file.read()
    for line in reversed(tail.splitlines()):
        try:
            values = json.loads(line)
        except ValueError:  # the first line of the tail, or one that is being written
            continue
        if isinstance(values, dict) and "training_seconds" in values:
            return values
    return None
