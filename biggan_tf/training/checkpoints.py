"""Saves a run so that it goes on to the bit: written beside and renamed, the newest, every K-th and the best kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.training import checkpoint_files as files
from biggan_tf.training import main_metric

_LOGGER = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run, as one worker sees them.

    Every worker writes its position in the data; the first writes everything else. All workers must see the same
    workdir, and all must call `save` and `restore`.

    Args:
        workdir: Of the run.
        config: Of the run.
        state: Variables by part and name, from `BigGAN.state`.
        batches: The data iterator, or None.
        worker: This process's number.
        num_workers: How many processes read.
        barrier: Waits until all workers have come so far.
    """

    def __init__(
        self,
        workdir: str,
        config: Config,
        state: Mapping[str, Mapping[str, Any]],
        batches: tf.Module | None = None,
        worker: int = 0,
        num_workers: int = 1,
        barrier: Callable[[], None] = lambda: None,
    ):
        self._workdir = workdir
        self._config = config
        self._state = {part: trackables(variables) for part, variables in state.items()}
        self._batches = batches
        self._worker = worker
        self._num_workers = num_workers
        self._barrier = barrier
        if worker == 0:
            tf.io.gfile.makedirs(os.path.join(workdir, files.FOLDER))
            self._remove_leftovers()

    def save(self, record: files.Record) -> str:
        """Writes a checkpoint and removes those that are no longer kept.

        Returns:
            Its folder.
        """
        folder = files.folder_of(self._workdir, record.step)
        beside = os.path.join(self._workdir, files.FOLDER, f"writing-{record.step:08d}")
        if self._worker == 0:
            tf.io.gfile.makedirs(beside)
        self._barrier()
        if self._batches is not None:
            name = files.batches_name(self._worker, self._num_workers)
            tf.train.Checkpoint(batches=self._batches).write(os.path.join(beside, name))
        if self._worker == 0:
            tf.train.Checkpoint(**self._state).write(os.path.join(beside, files.STATE))
        self._barrier()
        if self._worker == 0:
            files.write_record(beside, record)
            if tf.io.gfile.exists(folder):  # a rollback passed here before, or what lies there is damaged
                self._remove(folder)
            tf.io.gfile.rename(beside, folder)
            self._prune(record.step)
        self._barrier()
        return folder

    def restore(self, folder: str, with_position: bool = True) -> None:
        """Sets every variable, and the data's position if wanted.

        Args:
            folder: From `checkpoint_files.newest_whole`.
            with_position: Leave the data where it is if False.
        """
        restore_state(folder, self._state)
        if self._batches is not None and with_position:
            name = files.batches_name(self._worker, self._num_workers)
            tf.train.Checkpoint(batches=self._batches).read(os.path.join(folder, name)).assert_consumed()

    def _remove_leftovers(self) -> None:
        """What a killed run left half written or half removed."""
        folder = os.path.join(self._workdir, files.FOLDER)
        for name in tf.io.gfile.listdir(folder):
            if name.startswith(("writing-", "removing-")):
                tf.io.gfile.rmtree(os.path.join(folder, name))

    def _remove(self, folder: str) -> None:
        # Renamed first, so that a kill in between leaves nothing that looks like a checkpoint.
        parent, name = os.path.split(folder)
        removing = os.path.join(parent, f"removing-{name}")
        tf.io.gfile.rename(folder, removing)
        tf.io.gfile.rmtree(removing)

    def _prune(self, newest: int) -> None:
        limits = self._config.checkpoints
        steps = files.list_steps(self._workdir)
        # Later ones belong to a past that a rollback has left.
        for step in [step for step in steps if step > newest]:
            self._remove(files.folder_of(self._workdir, step))
        steps = [step for step in steps if step <= newest]
        kept = set(steps[-limits.keep :])
        if limits.keep_every_steps:
            kept |= {step for step in steps if step % limits.keep_every_steps == 0}
        if limits.keep_best:
            kept |= {step for step in [self._best(steps)] if step is not None}
        for step in steps:
            if step not in kept:
                self._remove(files.folder_of(self._workdir, step))

    def _best(self, steps: list[int]) -> int | None:
        """The step whose main metric is best."""
        costs = {}
        for step in steps:
            try:
                metrics = files.read_record(files.folder_of(self._workdir, step)).metrics
            except files.CheckpointError as error:
                _LOGGER.warning("%s", error)
                continue
            if metrics:
                costs[step] = main_metric.cost(metrics)
        return min(costs, key=lambda step: costs[step]) if costs else None


def trackables(variables: Mapping[str, Any]) -> dict[str, tf.Variable]:
    """TensorFlow's variables behind Keras's.

    They are handed to `tf.train.Checkpoint` by name, because it does not see the layers that a Keras model holds in
    nested lists and would leave most of a network out without a word.
    """
    return {
        name: variable.value if isinstance(variable, keras.Variable) else variable
        for name, variable in variables.items()
    }


def restore_state(folder: str, state: Mapping[str, Mapping[str, tf.Variable]]) -> None:
    """Sets variables from a checkpoint that may hold more.

    Raises:
        CheckpointError: If one of them is not in it or has another shape.
    """
    path = os.path.join(folder, files.STATE)
    try:
        status = tf.train.Checkpoint(**{part: dict(variables) for part, variables in state.items()}).read(path)
        status.assert_existing_objects_matched()
        status.expect_partial()
    except (tf.errors.OpError, ValueError, AssertionError) as error:
        raise files.CheckpointError(f"{path} must hold every variable of this model. Received: {error}") from error
