"""Writes what a run reports while it trains: metrics.jsonl for programs, trackers and a progress bar for people."""

from __future__ import annotations

import datetime
import json
import logging
import resource
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tqdm
from jaxtyping import UInt8

from biggan_tf import files
from biggan_tf.training.trackers.tensorboard import TensorBoardTracker
from biggan_tf.training.trackers.tracker import Tracker

METRICS = "metrics.jsonl"
_LOGGER = logging.getLogger(__name__)


class RunLog:
    """Writes metrics.jsonl, tells trackers, and shows a progress bar, or log lines where there is no terminal.

    TensorBoard is the tracker that every run has.

    A run that goes on from a checkpoint repeats the steps after it. Lines that metrics.jsonl has of those steps are
    therefore removed, so that the file has one past and not two. Only the notes on a collapse stay that stopped the run
    or made it go back, since they say why; a run that is started again and ends alike adds none. One that was a warning
    is written again if the collapse comes again.

    Args:
        workdir: The folder of the run, local or a URL.
        num_steps: The number of the last step, where the progress bar ends.
        first_step: How many steps were done before; later lines of metrics.jsonl are removed, but for such notes.
        active: Whether this process writes. With several workers the first one does, and the others call the same
            methods to no effect.
        trackers: Further trackers, open; they are closed with the log.
    """

    def __init__(
        self,
        workdir: str,
        num_steps: int,
        first_step: int,
        active: bool = True,
        trackers: Sequence[Tracker] = (),
    ):
        self._active = active
        self._trackers: list[Tracker] = list(trackers)
        self._bar: tqdm.tqdm | None = None
        if not active:
            return
        self._path = files.join(workdir, METRICS)
        self._notes = self._remove_lines_after(first_step)
        self._trackers.insert(0, TensorBoardTracker(workdir))
        # None: only on a terminal. Elsewhere the log lines say the same.
        self._bar = tqdm.tqdm(total=num_steps, initial=first_step, unit="step", disable=None, dynamic_ncols=True)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the regular report on the steps since the last one.

        Args:
            step: How many steps have been done.
            values: The report by name; `images_per_second` and `memory_bytes` must be among them, because the progress
                bar shows them.
        """
        if self._bar is None:
            return
        files.append_line(self._path, json.dumps({"step": step, **values}))
        for tracker in self._trackers:
            tracker.scalars(step, values)
        shown = {
            "img/s": f"{values['images_per_second']:.0f}",
            **{letter: f"{values[name]:.3f}" for letter, name in (("D", "d_loss"), ("G", "g_loss")) if name in values},
            "mem": f"{values['memory_bytes'] / 2**30:.2f}GiB",
        }
        if self._bar.disable:
            if "seconds_left" in values:
                shown["left"] = str(datetime.timedelta(seconds=round(values["seconds_left"])))
            _LOGGER.info("step %d: %s", step, ", ".join(f"{name} {value}" for name, value in shown.items()))
        else:
            self._bar.set_postfix(shown, refresh=False)

    def event(self, step: int, values: Mapping[str, float | str]) -> None:
        """Writes a report on something that does not happen at every report: an evaluation or a collapse.

        Args:
            step: How many steps have been done.
            values: What is to stand in the line of metrics.jsonl; trackers get those that are numbers.
        """
        if not self._active:
            return
        line = json.dumps({"step": step, **values})
        if line not in self._notes:
            files.append_line(self._path, line)
        numbers = {name: value for name, value in values.items() if isinstance(value, float)}
        for tracker in self._trackers:
            tracker.scalars(step, numbers)

    def pictures(self, step: int, grids: Mapping[str, UInt8[np.ndarray, "H W 3"]], health: Mapping[str, float]) -> None:
        """Writes grids of samples, and what the networks tell of their health, for trackers alone.

        Args:
            step: How many steps have been done.
            grids: Pictures by name, grey levels from 0 to 255.
            health: Numbers by name, from `monitoring.Observer.health`.
        """
        if not self._active:
            return
        for tracker in self._trackers:
            tracker.pictures(step, grids)
            tracker.scalars(step, health)

    def advance(self) -> None:
        """Moves the progress bar on by one step."""
        if self._bar is not None:
            self._bar.update()

    def rewind(self, step: int) -> None:
        """Sets the progress bar and metrics.jsonl back to `step`, to which a rollback went."""
        if self._bar is not None:
            self._remove_lines_after(step)
            self._bar.n = step
            self._bar.refresh()

    def close(self) -> None:
        """Closes the trackers and the progress bar; nothing can be written afterwards."""
        if self._bar is not None:
            self._bar.close()
            # TensorBoard's file comes last, because a full disk raises there.
            for tracker in reversed(self._trackers):
                tracker.close()

    def _remove_lines_after(self, step: int) -> list[str]:
        """Removes the lines of later steps, and half a line at the end; returns the notes on collapses that stay."""
        if not files.exists(self._path):
            return []
        # Not as text: what a damaged disk has put there may not be UTF-8.
        lines = files.read_bytes(self._path).splitlines(keepends=True)
        left = [line for line in lines if line.endswith(b"\n") and _belongs_to(line, step)]
        if left != lines:
            files.write_bytes(self._path, b"".join(left))
        return [line.decode().strip() for line in left if b'"collapse"' in line]


def memory_bytes() -> int:
    """The most memory in bytes that was in use at a time: of the first GPU if there is one, else of this process."""
    if tf.config.list_physical_devices("GPU"):
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        # Not Linux. There it would count what the parent held when it started this process.
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024  # macOS counts bytes, others KiB


def _belongs_to(line: bytes, step: int) -> bool:
    """Whether a line of metrics.jsonl is about a step up to this one, or notes a collapse that ended the later ones."""
    try:
        values = json.loads(line)
        return bool(values["step"] <= step or ("collapse" in values and values.get("action") != "warn"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False  # the process was killed while it wrote the line
