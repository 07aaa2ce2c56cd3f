"""What a person and other programs see of a run: metrics.jsonl, TensorBoard and a progress bar."""

from __future__ import annotations

import json
import logging
import os
import resource
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

METRICS = "metrics.jsonl"
_LOGGER = logging.getLogger(__name__)


class RunLog:
    """Writes from the first worker; silent on the others.

    Args:
        workdir: Of the run.
        num_steps: Where the progress bar ends.
        first_step: Steps done before. Lines of metrics.jsonl past it come from a run that was lost and are removed.
        active: Whether this process writes.
    """

    def __init__(self, workdir: str, num_steps: int, first_step: int, active: bool = True):
        self._active = active
        self._bar: Any = None
        if not active:
            return
        self._path = os.path.join(workdir, METRICS)
        self._forget_after(first_step)
        self._board = tf.summary.create_file_writer(os.path.join(workdir, "tensorboard"))
        # None: only on a terminal. Elsewhere the log lines say the same.
        self._bar = tqdm.tqdm(total=num_steps, initial=first_step, unit="step", disable=None, dynamic_ncols=True)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One line of metrics.jsonl, TensorBoard's scalars, the progress bar's figures."""
        if not self._active:
            return
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        with self._board.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._board.flush()
        shown = {
            "img/s": f"{values['images_per_second']:.0f}",
            "D": f"{values['d_loss']:.3f}",
            "G": f"{values['g_loss']:.3f}",
            "mem": f"{values['memory_bytes'] / 2**30:.2f}GiB",
        }
        if self._bar.disable:
            _LOGGER.info("step %d: %s", step, ", ".join(f"{name} {value}" for name, value in shown.items()))
        else:
            self._bar.set_postfix(shown, refresh=False)

    def event(self, step: int, values: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl that is no regular one: an evaluation, a rollback."""
        if not self._active:
            return
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        with self._board.as_default(step=step):
            for name, value in values.items():
                if isinstance(value, float):
                    tf.summary.scalar(name, value)

    def pictures(self, step: int, grids: Mapping[str, np.ndarray], singular_values: Mapping[str, float]) -> None:
        """TensorBoard's sample grids and sigma of every layer."""
        if not self._active:
            return
        with self._board.as_default(step=step):
            for name, grid in grids.items():
                tf.summary.image(f"samples {name}", grid[None])
            for name, value in singular_values.items():
                tf.summary.scalar(f"sigma/{name}", value)

    def advance(self) -> None:
        """One step was done."""
        if self._bar is not None:
            self._bar.update()

    def rewind(self, step: int) -> None:
        """A rollback went back to `step`."""
        if self._bar is not None:
            self._bar.n = step
            self._bar.refresh()

    def close(self) -> None:
        if self._active:
            self._board.close()
            self._bar.close()

    def _forget_after(self, step: int) -> None:
        if not os.path.exists(self._path):
            return
        with open(self._path, encoding="utf-8") as file:
            kept = [line for line in file if line.endswith("\n") and _step_of(line) <= step]
        beside = self._path + ".writing"
        with open(beside, "w", encoding="utf-8") as file:
            file.writelines(kept)
        os.replace(beside, self._path)


def memory_bytes() -> int:
    """The most memory that was used: the device's if it tells, else this process's."""
    if tf.config.list_physical_devices("GPU"):
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        # Not Linux. There it would count what the parent held when it started this process.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (json.JSONDecodeError, KeyError, TypeError, ValueError):
        return float("inf")  # torn by a kill
