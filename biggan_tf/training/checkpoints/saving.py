"""Writes, restores and deletes the checkpoints of a run.

A run that goes on from a checkpoint computes the same bits as one that was never stopped. A process that is killed at
any moment leaves every checkpoint either complete or not there: its files are written into a folder with another name,
which is renamed at the end, and a folder that is to be deleted is renamed first.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from biggan_tf import files
from biggan_tf.config import Config
from biggan_tf.training.checkpoints import deciding_metric
from biggan_tf.training.checkpoints import files as checkpoint_files

_LOGGER = logging.getLogger(__name__)


class Checkpoints:
    """Saves and restores the checkpoints of one run.

    Each worker has an object of its own, and all of them must call `save` and `restore` at the same points, because
    they wait for one another. Every worker writes how far it has read the data; worker 0 writes everything else and
    deletes what is no longer kept. All workers must see the folder of the run, for example on network storage.

    Args:
        workdir: The folder of the run.
        config: The configuration of the run; its section `checkpoints` says which checkpoints are kept.
        state: The variables by part and name, from `GAN.state`.
        batches: The iterator over the data, whose position is saved too; None: no position is saved.
        worker: The number of this process; 0 for the one that writes the variables.
        num_workers: How many processes there are.
        barrier: A function that returns when all workers have called it. The default, for one worker, does so at once.
    """

    def __init__(
        self,
        workdir: str,
        config: Config,
        state: Mapping[str, Mapping[str, keras.Variable]],
        batches: tf.train.experimental.PythonState | None = None,
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
            files.make_folder(files.join(workdir, checkpoint_files.FOLDER))
            self._remove_leftovers()

    def save(self, summary: checkpoint_files.CheckpointSummary) -> str:
        """Writes a checkpoint, and deletes those that the configuration does not keep.

        Args:
            summary: What the checkpoint says about itself. Its step gives the folder its name; a checkpoint that is
                already there under this name is replaced.

        Returns:
            The folder of the checkpoint.

        Raises:
            OSError: If it cannot be written, because the disk is full for instance. What was written of it is removed,
                and the checkpoints from before stay.
        """
        unfinished = files.join(self._workdir, checkpoint_files.FOLDER, f"writing-{summary.step:08d}")
        try:
            return self._save(summary, unfinished)
        except OSError:
            if self._worker == 0:
                with contextlib.suppress(OSError):  # a disk with errors: the first error is the one to tell
                    files.remove_folder(unfinished)
            raise

    def _save(self, summary: checkpoint_files.CheckpointSummary, unfinished: str) -> str:
        folder = checkpoint_files.folder_of(self._workdir, summary.step)
        if self._worker == 0:
            files.make_folder(unfinished)
        self._barrier()
        if self._batches is not None:
            name = checkpoint_files.batches_name(self._worker, self._num_workers)
            with files.os_errors(unfinished):
                tf.train.Checkpoint(batches=self._batches).write(files.join(unfinished, name))
        if self._worker == 0:
            with files.os_errors(unfinished):
                tf.train.Checkpoint(**self._state).write(files.join(unfinished, checkpoint_files.STATE))
        self._barrier()
        if self._worker == 0:
            checkpoint_files.write_summary(unfinished, summary)
            if files.exists(folder):  # a rollback went back to before this step, or the files there are damaged
                self._remove(folder)
            files.rename_folder(unfinished, folder, last=checkpoint_files.LIST)
            self._prune(summary.step)
        self._barrier()
        return folder

    def restore(self, folder: str, with_position: bool = True) -> None:
        """Sets every variable to its value in a checkpoint, and the data to its position there.

        Args:
            folder: The folder of the checkpoint, from `checkpoint_files.newest_whole`.
            with_position: Whether to restore the position in the data; False leaves the data where it is.

        Raises:
            CheckpointError: If the checkpoint lacks a variable or has one of another shape.
        """
        restore_state(folder, self._state)
        if self._batches is not None and with_position:
            path = files.join(folder, checkpoint_files.batches_name(self._worker, self._num_workers))
            try:
                tf.train.Checkpoint(batches=self._batches).read(path).assert_consumed()
            except (tf.errors.OpError, ValueError, AssertionError) as error:
                raise checkpoint_files.CheckpointError(
                    f"{path} must hold how far this worker has read the data. Received: {error}"
                ) from error

    def _remove_leftovers(self) -> None:
        """Deletes what an earlier run left: folders that it had not finished writing or deleting, and farewells."""
        folder = files.join(self._workdir, checkpoint_files.FOLDER)
        for name in files.list_folder(folder):
            if name.startswith(checkpoint_files.FAREWELL):
                files.remove(files.join(folder, name))
            if name.startswith(("writing-", "removing-")):
                files.remove_folder(files.join(folder, name))

    def _remove(self, folder: str) -> None:
        # A process that is killed in between must not leave a folder that looks like a checkpoint and lacks files.
        if files.is_remote(folder):  # a rename would copy every file there; without files.json it is no checkpoint
            listed = files.join(folder, checkpoint_files.LIST)
            if files.exists(listed):
                files.remove(listed)
            files.remove_folder(folder)
            return
        parent, name = os.path.split(folder)
        removing = files.join(parent, f"removing-{name}")
        os.rename(folder, removing)
        files.remove_folder(removing)

    def _prune(self, newest: int) -> None:
        limits = self._config.checkpoints
        steps = checkpoint_files.list_steps(self._workdir)
        # A rollback has gone back to before these, and the run will write them again.
        for step in [step for step in steps if step > newest]:
            self._remove(checkpoint_files.folder_of(self._workdir, step))
        steps = [step for step in steps if step <= newest]
        kept = set(steps[-limits.keep :])
        if limits.keep_every_steps:
            kept |= {step for step in steps if step % limits.keep_every_steps == 0}
        if limits.keep_best:
            kept |= {step for step in [self._best(steps)] if step is not None}
        for step in steps:
            if step not in kept:
                self._remove(checkpoint_files.folder_of(self._workdir, step))

    def _best(self, steps: list[int]) -> int | None:
        """The step whose deciding metric is best; None if none of them was evaluated."""
        costs = {}
        for step in steps:
            try:
                metrics = checkpoint_files.read_summary(checkpoint_files.folder_of(self._workdir, step)).metrics
            except checkpoint_files.CheckpointError as error:
                _LOGGER.warning("%s", error)
                continue
            if metrics:
                # By its name, since checkpoints of earlier versions have their metrics in another order.
                costs[step] = deciding_metric.cost(metrics, self._config.evaluation.metrics)
        return min(costs, key=lambda step: costs[step]) if costs else None


def trackables(variables: Mapping[str, keras.Variable | tf.Variable]) -> dict[str, tf.Variable]:
    """The variables of TensorFlow that Keras's variables hold, by the same names.

    They are handed to `tf.train.Checkpoint` by name, because it does not see the layers that a Keras model holds in
    nested lists and would leave most of a network out without a word.
    """
    return {
        name: variable.value if isinstance(variable, keras.Variable) else variable
        for name, variable in variables.items()
    }


def restore_state(folder: str, state: Mapping[str, Mapping[str, tf.Variable]]) -> None:
    """Sets variables to their values in a checkpoint.

    Args:
        folder: The folder of the checkpoint. It may hold more variables than are asked for.
        state: The variables by part and name, as they were named when the checkpoint was written.

    Raises:
        CheckpointError: If one of them is not in the checkpoint or has another shape there.
    """
    path = files.join(folder, checkpoint_files.STATE)
    try:
        status = tf.train.Checkpoint(**{part: dict(variables) for part, variables in state.items()}).read(path)
        status.assert_existing_objects_matched()
        status.expect_partial()
    except (tf.errors.OpError, ValueError, AssertionError) as error:
        raise checkpoint_files.CheckpointError(
            f"{path} must hold every variable of this model. Received: {error}"
        ) from error
