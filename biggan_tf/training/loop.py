"""The loop around the step: resumes, logs, saves, watches, and ends with a status that says why."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from biggan_tf.config import Config, to_dict
from biggan_tf.data import batch_iterator, compatibility
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.training import (
    checkpoint_files,
    compute_report,
    distribution,
    monitoring,
    resume,
    run_log,
    run_precision,
)
from biggan_tf.training.checkpoints import Checkpoints
from biggan_tf.training.gan import BigGAN
from biggan_tf.training.sample_sheets import SampleSheets
from biggan_tf.training.shutdown import Shutdown
from biggan_tf.training.step_runner import StepRunner

DONE = 0
NON_FINITE = 3
COLLAPSED = 4
INTERRUPTED = 75  # EX_TEMPFAIL: saved; the same command goes on

_PROFILE_AFTER, _PROFILED = 5, 3  # steps
_MAX_ROLLBACKS = 3  # to one and the same checkpoint
_LOGGER = logging.getLogger(__name__)

# (generator, configuration, step, real images seen) to metrics by name, the main one first
Evaluate = Callable[[Any, Config, int, int], Mapping[str, float]]


class CollapseError(RuntimeError):
    """A collapsed run that is to stop."""


def train(config: Config, workdir: str, *, profile: bool = False, evaluate: Evaluate | None = None) -> int:
    """Trains, from the newest whole checkpoint in `workdir` if there is one.

    Args:
        config: Of the run.
        workdir: Where checkpoints, metrics.jsonl, samples and TensorBoard's files go.
        profile: Write a TensorFlow trace of a few steps to workdir/profile.
        evaluate: Computes metrics on the averaged generator every `evaluation.every_steps`.

    Returns:
        DONE, INTERRUPTED (saved; run again), NON_FINITE or COLLAPSED.

    Raises:
        ConfigError, DataError, CheckpointError: For what a user can put right.
    """
    cluster = distribution.connect(config.distribution)
    config.validate(cluster.num_replicas)
    with Shutdown() as shutdown:
        run = Run(config, workdir, cluster, evaluate)
        try:
            return run.train(shutdown, profile)
        except monitoring.NonFiniteError as error:
            _LOGGER.error("%s", error)
            return NON_FINITE
        except CollapseError as error:
            _LOGGER.error("%s", error)
            return COLLAPSED
        finally:
            run.log.close()


class Run:
    """One process's part of a run.

    Args:
        config: Of the run.
        workdir: Its folder.
        cluster: Where it runs.
        evaluate: See `train`.
    """

    def __init__(self, config: Config, workdir: str, cluster: distribution.Cluster, evaluate: Evaluate | None = None):
        self._workdir, self._cluster, self._evaluate = workdir, cluster, evaluate
        self._manifest = manifest_lib.load(config.data.path)
        compatibility.check(self._manifest, config, config.data.split)
        folder = checkpoint_files.newest_whole(workdir)
        record = checkpoint_files.read_record(folder) if folder else None
        self._asked_policy = config.model.policy
        config = self._config = run_precision.settle(config, record, cluster)
        compute_report.announce(config.model.policy)
        keras.utils.set_random_seed(config.training.seed)  # the initial weights; all else draws from keys
        with cluster.strategy.scope():
            self.gan = BigGAN(config, self._manifest.splits[config.data.split].images_per_class)
        self._batches = _batches(config, cluster)
        state = self.gan.state()
        self._checkpoints = Checkpoints(
            workdir, config, state, self._batches, cluster.worker, cluster.num_workers, cluster.barrier
        )
        self._metrics: dict[str, float] = {}
        self.step = self._resume(folder, record) if folder and record else 0
        self._runner = StepRunner(cluster, self.gan, lambda: next(self._batches))
        self._observer = monitoring.Observer(self.gan)
        self._detector = monitoring.CollapseDetector(config.monitoring)
        self._replicas = distribution.ReplicaCheck(cluster, state)
        self._sheets = SampleSheets(self.gan, os.path.join(workdir, "samples"), self._manifest.label_names)
        self.log = run_log.RunLog(workdir, config.training.num_steps, self.step, cluster.is_chief)
        self._means = monitoring.Means()
        self._log_time, self._log_step = time.perf_counter(), self.step
        self._saved_step = self.step
        self._rollbacks = 0

    def train(self, shutdown: Shutdown, profile: bool = False) -> int:
        """Steps until the last one or until a signal."""
        num_steps, first_step = self._config.training.num_steps, self.step
        while self.step < num_steps:
            if profile and self._cluster.is_chief:
                _profile(os.path.join(self._workdir, "profile"), self.step - first_step)
            report = self._runner.run()
            self.step += 1
            monitoring.check_finite(report, self.gan, self._observer)
            self._means.add({**report, "data_wait_s": self._runner.data_wait_s})
            self.log.advance()
            if not self._after_step():
                continue
            if self._cluster.any_worker(shutdown.requested):
                self._save()
                _LOGGER.warning("Stopped by a signal after step %d, which is saved. Run again to go on.", self.step)
                return INTERRUPTED
        self._save()
        return DONE

    def _after_step(self) -> bool:
        """Whatever is due; False if it ended in a rollback."""
        monitor, limits = self._config.monitoring, self._config.checkpoints
        last = self.step == self._config.training.num_steps
        trouble = None
        if last or self.step % monitor.log_every_steps == 0:
            trouble = self._write_log()
        if last or self.step % monitor.sample_every_steps == 0:
            self._write_samples()
        every = self._config.evaluation.every_steps
        if trouble is None and self._evaluate is not None and every and self.step % every == 0:
            trouble = self._run_evaluation(self._evaluate)
        if trouble is not None and self._collapsed(trouble):
            return False
        if self.step % limits.every_steps == 0:
            self._save()
        return True

    def _write_log(self) -> str | None:
        """Logs the steps since the last time; what the collapse detector says."""
        now, steps = time.perf_counter(), self.step - self._log_step
        elapsed = max(now - self._log_time, 1e-9)
        self._log_time, self._log_step = now, self.step
        values = self._means.take()
        values["data_wait_share"] = values.pop("data_wait_s") * steps / elapsed
        training = self._config.training
        values["images_per_second"] = steps * training.batch_size * training.discriminator_steps / elapsed
        values["seconds_left"] = (training.num_steps - self.step) * elapsed / max(steps, 1)
        values["memory_bytes"] = run_log.memory_bytes()
        values["images_seen"] = int(self.gan.images_seen.numpy())
        singular_values = self._observer.singular_values()
        values["largest_sigma"] = max(singular_values.values())
        self.log.write(self.step, values)
        return self._detector.observe(values, singular_values)

    def _write_samples(self) -> None:
        if not self._cluster.is_chief:
            return
        grids = self._sheets.draw()
        self._sheets.save(self.step, grids)
        self.log.pictures(self.step, grids, self._observer.singular_values())

    def _run_evaluation(self, evaluate: Evaluate) -> str | None:
        found = evaluate(self.gan.average_generator, self._config, self.step, int(self.gan.images_seen.numpy()))
        metrics = {name: float(value) for name, value in found.items()}
        self._metrics = metrics
        self.log.event(self.step, metrics)
        return self._detector.observe_metrics(metrics)

    def _collapsed(self, reason: str) -> bool:
        """Does what `monitoring.on_collapse` says; True if the run went back."""
        action = self._config.monitoring.on_collapse
        self.log.event(self.step, {"collapse": reason, "action": action})
        message = f"Collapse at step {self.step}: {reason}."
        if action == "warn":
            _LOGGER.warning("%s", message)
            return False
        folder = checkpoint_files.newest_whole(self._workdir) if action == "rollback" else None
        if folder is None:
            raise CollapseError(f"{message} Stopped; the newest checkpoint is from step {self._saved_step}.")
        self._rollbacks += 1
        if self._rollbacks > _MAX_ROLLBACKS:
            raise CollapseError(f"{message} Stopped after {_MAX_ROLLBACKS} rollbacks to the same checkpoint.")
        _LOGGER.warning("%s Going back to %s with new random state.", message, folder)
        old_key = int(self.gan.random_key.numpy()[1])
        self._checkpoints.restore(folder)
        self.gan.random_key.assign([self._config.training.seed, old_key + 1])
        self.step = int(self.gan.steps_done.numpy())
        self._detector.reset()
        self._means.take()
        self._log_time, self._log_step = time.perf_counter(), self.step
        self.log.rewind(self.step)
        return True

    def _save(self) -> None:
        """Saves, once for each step, what is finite and equal on all replicas."""
        if self._saved_step == self.step:
            return
        bad = self._observer.non_finite()
        if bad:
            raise monitoring.NonFiniteError(
                f"Every weight must be finite to be saved. Received at step {self.step}: {', '.join(bad[:8])}. "
                "The newest checkpoint was saved before."
            )
        differing = self._replicas.differing()
        if differing:
            raise RuntimeError(
                f"All replicas must hold the same state. Received at step {self.step}: these differ: "
                f"{', '.join(differing[:8])}. The newest checkpoint is from step {self._saved_step}."
            )
        record = checkpoint_files.Record(
            step=self.step,
            images_seen=int(self.gan.images_seen.numpy()),
            config=to_dict(self._config),
            num_workers=self._cluster.num_workers,
            label_names=self._manifest.label_names,
            data_fingerprint=self._manifest.fingerprint,
            metrics=self._metrics,
            asked_policy=self._asked_policy,
        )
        self._checkpoints.save(record)
        self._saved_step, self._rollbacks = self.step, 0

    def _resume(self, folder: str, record: checkpoint_files.Record) -> int:
        """Restores a checkpoint; the steps done."""
        if record.label_names and self._config.model.num_classes:
            compatibility.check_label_names(self._manifest, record.label_names, f"the run in {self._workdir}")
        self._checkpoints.restore(folder, resume.check(record, self._config, self._cluster.num_workers))
        self._metrics = dict(record.metrics)
        _LOGGER.info("Going on from %s", folder)
        return record.step


def _batches(config: Config, cluster: distribution.Cluster) -> batch_iterator.BatchIterator:
    """This worker's micro-batches."""
    micro_batch = config.training.batch_size // config.training.accumulation_steps
    fed = dataclasses.replace(config, training=dataclasses.replace(config.training, batch_size=micro_batch))
    return batch_iterator.BatchIterator(fed, num_workers=cluster.num_workers, worker_index=cluster.worker)


def _profile(folder: str, steps_here: int) -> None:
    if steps_here == _PROFILE_AFTER:
        tf.profiler.experimental.start(folder)
    elif steps_here == _PROFILE_AFTER + _PROFILED:
        tf.profiler.experimental.stop()
