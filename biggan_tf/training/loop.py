"""The loop of a training: takes steps, logs, samples, evaluates, saves, and reacts to signals and collapse."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from biggan_tf import files, stop_signals
from biggan_tf.config import Config, to_dict
from biggan_tf.contracts.generator import Generator
from biggan_tf.data import batch_iterator, compatibility
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.folder_lock import FolderInUseError, FolderLock
from biggan_tf.training import (
    compute_report,
    coordination,
    distribution,
    first_lines,
    initial_weights,
    monitoring,
    run_log,
    run_precision,
    small_data,
    training_clock,
)
from biggan_tf.training.aided_discriminator import with_fingerprint
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints import resume
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.enlargement_sheets import EnlargementSheets, first_images, pixel_generator
from biggan_tf.training.gan import GAN
from biggan_tf.training.growth import Growth
from biggan_tf.training.meters import Meters
from biggan_tf.training.sample_sheets import SampleSheets
from biggan_tf.training.shutdown import Shutdown
from biggan_tf.training.step_runner import StepRunner
from biggan_tf.training.trackers.tracker import OpenTracker
from biggan_tf.training.training_clock import TrainingClock

# What `train` returns, and the exit statuses of the command.
DONE = 0
NON_FINITE = 3
COLLAPSED = 4
INTERRUPTED = stop_signals.STOPPED  # the same command goes on from the checkpoint that was saved

_PROFILE_AFTER, _PROFILED = 5, 3  # steps
_NO_CHECKPOINT = "There is no checkpoint yet."
_MAX_ROLLBACKS = 3  # to one and the same checkpoint
_LOGGER = logging.getLogger(__name__)

# Takes (generator, configuration, steps done, real images seen) and returns metrics by name, the deciding one first.
# Raises ValueError if they cannot be computed.
Evaluate = Callable[[Generator, Config, int, int], Mapping[str, float]]


class CollapseError(RuntimeError):
    """Is raised when the networks have collapsed and the configuration says to stop, or going back did not help."""


class EvaluationError(RuntimeError):
    """Is raised, after a checkpoint was saved, when an evaluation cannot be computed."""


def train(
    config: Config,
    workdir: str,
    *,
    profile: bool = False,
    evaluate: Evaluate | None = None,
    trackers: Sequence[OpenTracker] = (),
) -> int:
    """Trains, from the newest checkpoint in `workdir` that is not damaged if there is one.

    Args:
        config: The configuration of the run.
        workdir: The folder of the run, local or a URL such as "gs://bucket/run". Checkpoints, metrics.jsonl, samples
            and TensorBoard's files go there.
        profile: Whether to write a TensorFlow trace of three steps, the sixth to the eighth, to workdir/profile.
        evaluate: Computes metrics of the EMA generator every `evaluation.every_steps` steps or `every_minutes` of
            training, in the first worker alone, while the others wait; None: no metrics are computed.
        trackers: Each opens a further tracker besides TensorBoard's files, in the first worker alone.

    Returns:
        DONE; INTERRUPTED if a signal came, after saving, or if another worker was lost; NON_FINITE if a loss, a
        gradient or a weight was not finite; or COLLAPSED.

    Raises:
        ConfigError: If the configuration is wrong, or this machine cannot run it.
        DataError: If the data is missing or damaged, or does not fit the configuration.
        CheckpointError: If the run cannot go on from its checkpoints.
        EvaluationError: If `evaluate` raised a ValueError; the steps that were done are saved.
        FolderInUseError: If another process writes the workdir. A remote workdir is not locked.
        OSError: If the workdir or the data cannot be read or written. Checkpoints that were complete stay so.
    """
    try:
        return _train_in_cluster(config, workdir, profile, evaluate, trackers)
    except coordination.LOST as error:
        if config.distribution.strategy != "multi_worker":
            raise
        _LOGGER.error("%s", coordination.explanation(error, config.distribution))
        return INTERRUPTED


def _train_in_cluster(
    config: Config, workdir: str, profile: bool, evaluate: Evaluate | None, trackers: Sequence[OpenTracker]
) -> int:
    """What `train` does, but that it raises one of `coordination.LOST` if another worker was lost."""
    cluster = distribution.connect(config.distribution)
    config.validate(cluster.num_replicas)
    # Several workers must end together, so one of them cannot end at once, whatever the moment.
    with contextlib.ExitStack() as stack, Shutdown(has_work=cluster.num_workers > 1) as shutdown:
        manifest_lib.load(config.data.path)  # data that is not there is told before the workdir is made
        _lock(workdir, cluster, stack)
        run = Run.start_or_resume(config, workdir, cluster, evaluate, trackers)
        stack.callback(_close, run)
        checkpoints = files.join(workdir, checkpoint_files.FOLDER)
        try:
            status = _train(run, shutdown, profile)
        except EvaluationError:  # in all workers
            cluster.leave(checkpoints)
            raise
        cluster.leave(checkpoints)
        return status


def _lock(workdir: str, cluster: distribution.Cluster, stack: contextlib.ExitStack) -> None:
    """Locks the workdir until the stack is left. The chief alone writes there, and tells the others if it cannot."""
    refusal = None
    if cluster.is_chief:
        try:
            stack.enter_context(FolderLock(workdir))
        except FolderInUseError as error:
            refusal = error
    if cluster.any_worker(refusal is not None):
        raise refusal or FolderInUseError(
            f"One run at a time may write {workdir}. Received: the first worker's refusal."
        )


def _close(run: Run) -> None:
    """Closes the log. The last lines for TensorBoard are not worth an error, least of all one that hides another."""
    try:
        run.log.close()
    except OSError as error:
        _LOGGER.warning("TensorBoard's file is not complete: %s", error)


def _train(run: Run, shutdown: Shutdown, profile: bool) -> int:
    try:
        return run.train(shutdown, profile)
    except monitoring.NonFiniteError as error:
        _LOGGER.error("%s", error)
        return NON_FINITE
    except CollapseError as error:
        _LOGGER.error("%s", error)
        return COLLAPSED


class Run:
    """One process's part of a run. `start_or_resume` creates it.

    Args:
        config: The configuration of the run, with the precision decided.
        workdir: The folder of the run.
        cluster: The replicas that train, and this process's place among the workers.
        manifest: What the data holds.
        gan: What is trained, in the state from which the run goes on.
        batches: This worker's micro-batches, at the position from which the run goes on.
        checkpoints: Saves `gan` and `batches`.
        evaluate: Computes metrics of the EMA generator, in the first worker alone; None: no metrics are computed.
        asked_policy: The `model.policy` that the user asked for, such as "auto"; it is stored in checkpoints.
        step: How many steps of the game have been done.
        metrics: The numbers of the latest evaluation; None: there was none.
        meters: What the run has measured since its last line of metrics.jsonl, from `Meters.collected`; None: nothing.
        training_seconds: How long the steps have taken so far.
        owes_evaluation: Whether an evaluation that was due at this step is still to be computed.
        trackers: Each opens a further tracker besides TensorBoard's files, in the first worker alone.
    """

    def __init__(
        self,
        config: Config,
        workdir: str,
        cluster: distribution.Cluster,
        manifest: manifest_lib.Manifest,
        gan: GAN,
        batches: batch_iterator.BatchIterator,
        checkpoints: Checkpoints,
        *,
        evaluate: Evaluate | None = None,
        asked_policy: str = "",
        step: int = 0,
        metrics: Mapping[str, float] | None = None,
        meters: Mapping[str, Sequence[float]] | None = None,
        training_seconds: float = 0.0,
        owes_evaluation: bool = False,
        trackers: Sequence[OpenTracker] = (),
    ):
        self._config, self._workdir, self._cluster, self._manifest = config, workdir, cluster, manifest
        self._evaluate, self._asked_policy = evaluate, asked_policy
        self.gan = gan
        self._checkpoints = checkpoints
        self.step = step
        self._metrics = dict(metrics or {})
        self._runner = StepRunner(cluster, gan, lambda: next(batches))
        self._growth = Growth(gan, self._runner, batches) if config.training.growth.enabled else None
        self._observer = monitoring.Observer(gan)
        self._detector = monitoring.CollapseDetector(config.monitoring)
        self._replicas = distribution.ReplicaCheck(cluster, gan.state())
        self._sheets = _sheets_of(gan, config, os.path.join(workdir, "samples"), manifest)
        opened = [open_tracker(workdir, config) for open_tracker in trackers] if cluster.is_chief else []
        self.log = run_log.RunLog(workdir, config.training.num_steps, step, cluster.is_chief, opened)
        self._meters = Meters(step, meters)
        self._clock = TrainingClock(training_seconds)
        self._saved_step = step
        self._owes_evaluation = owes_evaluation
        self._rollbacks = 0

    @classmethod
    def start_or_resume(
        cls,
        config: Config,
        workdir: str,
        cluster: distribution.Cluster,
        evaluate: Evaluate | None = None,
        trackers: Sequence[OpenTracker] = (),
    ) -> Run:
        """Opens the data, builds the networks, and restores the newest checkpoint if there is one.

        Args:
            config: The configuration as the user gave it.
            workdir: The folder of the run.
            cluster: The replicas that train.
            evaluate: Computes metrics of the EMA generator, in the first worker alone; None: no metrics are computed.
            trackers: Each opens a further tracker besides TensorBoard's files, in the first worker alone.

        Raises:
            DataError: If the data is missing or damaged, or does not fit the configuration.
            CheckpointError: If the run cannot go on from its checkpoints.
            InitialWeightsError: If it cannot begin with the weights that the configuration names.
        """
        manifest = manifest_lib.load(config.data.path)
        compatibility.check(manifest, config, config.data.split)
        folder = checkpoint_files.newest_whole(workdir)
        summary = checkpoint_files.read_summary(folder) if folder else None
        asked_policy = config.model.policy
        config = with_fingerprint(run_precision.settle(config, summary, cluster))
        compute_report.announce(config.model.policy)
        _advise(manifest, config)
        gan = _new_gan(config, manifest, cluster)
        first_lines.log(config, gan, cluster, manifest, summary.step if summary else 0)
        batches = _micro_batches(config, cluster)
        checkpoints = Checkpoints(
            workdir, config, gan.state(), batches, cluster.worker, cluster.num_workers, cluster.barrier
        )
        if folder is not None and summary is not None:
            if summary.label_names and config.model.num_classes:
                compatibility.check_label_names(manifest, summary.label_names, f"the run in {workdir}")
            _restore(checkpoints, folder, summary, config, cluster.num_workers, manifest.fingerprint)
        elif config.initial.weights:
            trained = initial_weights.load_trained(config.initial.weights)
            initial_weights.begin_with(gan, trained, manifest.label_names, config.initial.weights)
        return cls(
            config,
            workdir,
            cluster,
            manifest,
            gan,
            batches,
            checkpoints,
            evaluate=evaluate,
            asked_policy=asked_policy,
            step=summary.step if summary else 0,
            metrics=summary.metrics if summary else None,
            meters=summary.meters if summary else None,
            training_seconds=summary.training_seconds if summary else 0.0,
            owes_evaluation=summary.owes_evaluation if summary else False,
            trackers=trackers,
        )

    def train(self, shutdown: Shutdown, profile: bool = False) -> int:
        """Trains until the last step or the end of the time, or until a worker has been sent a signal.

        Args:
            shutdown: Knows of signals to this process.
            profile: Whether the first worker writes a TensorFlow trace of a few steps.

        Returns:
            DONE; INTERRUPTED if a signal came, even if it came in the last step or while that was saved.

        Raises:
            NonFiniteError: If a loss, a gradient or a weight is not finite.
            CollapseError: If the networks have collapsed and the run is to stop.
            EvaluationError: If an evaluation cannot be computed.
        """
        folder = os.path.join(self._workdir, "profile") if profile and self._cluster.is_chief else ""
        with contextlib.closing(_Profile(folder)) as trace:
            return self._take_steps(shutdown, trace)

    def _take_steps(self, shutdown: Shutdown, trace: _Profile) -> int:
        num_steps, first_step = self._config.training.num_steps, self.step
        if self._owes_evaluation and self._evaluate is not None:
            self._make_up_for_evaluation(self._evaluate)
        elif self._is_at_its_end():
            _LOGGER.info(
                "Nothing to do: the run in %s has done %d steps of %d. A larger training.num_steps or "
                "training.max_minutes lets it go on.",
                self._workdir,
                first_step,
                num_steps,
            )
        most_seconds = max(60.0 * self._config.training.max_minutes - self._clock.seconds, 0.0)
        expected = first_lines.TimeExpected(num_steps - first_step, most_seconds)
        if self._cluster.any_worker(shutdown.requested):
            _LOGGER.warning("Stopped by a signal at step %d, before any new one. Run again to go on.", self.step)
            return INTERRUPTED
        while not self._is_at_its_end():
            begin = training_clock.reading(self._config.training.clock)
            trace.before_step()
            grown = self._growth.before_step() if self._growth else {}
            is_chiefs_first = self.step == first_step and self._cluster.is_chief
            with first_lines.compilation() if is_chiefs_first else contextlib.nullcontext():
                report = {**self._runner.run(), **grown}
            trace.after_step()
            self.step += 1
            shutdown.has_work = True
            monitoring.check_finite(report, self.gan, self._observer, self._newest_checkpoint())
            seconds = training_clock.reading(self._config.training.clock) - begin
            self._clock.add(seconds, self._runner.compiled)
            self._meters.add({**report, "data_wait_s": self._runner.data_wait_s})
            self.log.advance()
            expected.after_step()
            if not self._after_step():
                continue
            if self._cluster.any_worker(shutdown.requested):
                break
        self._save()
        if self._cluster.any_worker(shutdown.requested):
            _LOGGER.warning("Stopped by a signal after step %d, which is saved. Run again to go on.", self.step)
            return INTERRUPTED
        return DONE

    def _is_at_its_end(self) -> bool:
        training = self._config.training
        return self.step >= training.num_steps or self._clock.reached(60.0 * training.max_minutes)

    def _after_step(self) -> bool:
        """Does what is due after this step; returns False if the run went back to a checkpoint instead."""
        monitor, limits = self._config.monitoring, self._config.checkpoints
        last = self._is_at_its_end()
        trouble = None
        if last or self.step % monitor.log_every_steps == 0:
            trouble = self._agree(self._write_log())
        if last or self.step % monitor.sample_every_steps == 0:
            self._write_samples()
        evaluation = self._config.evaluation
        by_time = self._clock.passed(60.0 * evaluation.every_minutes)
        due = by_time or (evaluation.every_steps > 0 and self.step % evaluation.every_steps == 0)
        goes_on = trouble is None or monitor.on_collapse == "warn"
        if goes_on and self._evaluate is not None and due:
            found = self._evaluated(self._evaluate)
            trouble = trouble or found
        if trouble is not None and self._collapsed(trouble):
            return False
        # With a checkpoint right after it, a run that is killed does not evaluate at another step the next time.
        if self.step % limits.every_steps == 0 or by_time:
            self._save()
        return True

    def _agree(self, trouble: str | None) -> str | None:
        """What a collapse detector said, in this worker or in another.

        All workers must stop or go back to a checkpoint together, or the others would wait for one of them for ever.
        Only the first worker knows what an evaluation says, and what the workers compute themselves may differ in the
        last digit between unequal processors.
        """
        if not self._cluster.any_worker(trouble is not None):
            return None
        return trouble or "another worker noticed it, and its log says what"

    def _write_log(self) -> str | None:
        """Logs the means over the steps since the last time; returns what the collapse detector says of them."""
        values, steps, elapsed = self._meters.take(self.step)
        values["data_wait_share"] = values.pop("data_wait_s") * steps / elapsed
        training = self._config.training
        images_per_step = values.get("batch_size", training.batch_size) * self._config.game.discriminator_steps
        values["images_per_second"] = steps * images_per_step / elapsed
        values["training_seconds"] = self._clock.seconds
        values["seconds_left"] = (training.num_steps - self.step) * elapsed / max(steps, 1)
        if training.max_minutes:
            by_time = max(0.0, 60.0 * training.max_minutes - self._clock.seconds)
            values["seconds_left"] = min(values["seconds_left"], by_time)
        values["memory_bytes"] = run_log.memory_bytes()
        values["images_seen"] = int(self.gan.images_seen.numpy())
        health = self._observer.health()
        values.update(monitoring.largest(health))
        self.log.write(self.step, values)
        return self._detector.observe(values, health)

    def _write_samples(self) -> None:
        if not self._cluster.is_chief:
            return
        grids = self._sheets.draw()
        self._sheets.save(self.step, grids)
        self.log.pictures(self.step, grids, self._observer.health())

    def _evaluated(self, evaluate: Evaluate) -> str | None:
        """Evaluates in the first worker; returns what its collapse detector says, in all workers.

        Raises:
            EvaluationError: In all workers, if the evaluation cannot be computed. The steps that were done are saved
                before, and that it is still to be computed.
        """
        trouble = failure = None
        if self._cluster.is_chief:
            try:
                trouble = self._run_evaluation(evaluate)
            except EvaluationError as error:
                failure = error
        if self._cluster.any_worker(failure is not None):
            self._save(owes_evaluation=True)
            raise failure or EvaluationError("The first worker cannot compute its evaluation, and its log says why.")
        return self._agree(trouble)

    def _make_up_for_evaluation(self, evaluate: Evaluate) -> None:
        """Evaluates what could not be evaluated when this step was done, and keeps the numbers in its checkpoint."""
        trouble = self._evaluated(evaluate)
        if trouble is not None:
            self._collapsed(trouble)
        self._save(again=True)

    def _run_evaluation(self, evaluate: Evaluate) -> str | None:
        """Evaluates the EMA generator and logs the metrics; returns what the collapse detector says of them."""
        try:
            values = evaluate(self.gan.ema_generator, self._config, self.step, int(self.gan.images_seen.numpy()))
        except ValueError as error:
            raise EvaluationError(f"The evaluation at step {self.step} cannot be computed: {error}") from error
        self._metrics = {name: float(value) for name, value in values.items()}
        self.log.event(self.step, self._metrics)
        return self._detector.observe_metrics(self._metrics)

    def _collapsed(self, reason: str) -> bool:
        """Does what `monitoring.on_collapse` says; returns True if the run went back to a checkpoint."""
        action = self._config.monitoring.on_collapse
        self.log.event(self.step, {"collapse": reason, "action": action})
        message = f"Collapse at step {self.step}: {reason}."
        if action == "warn":
            _LOGGER.warning("%s", message)
            return False
        folder = checkpoint_files.newest_whole(self._workdir) if action == "rollback" else None
        if folder is None:
            raise CollapseError(f"{message} Stopped. {self._newest_checkpoint()}")
        self._rollbacks += 1
        if self._rollbacks > _MAX_ROLLBACKS:
            raise CollapseError(f"{message} Stopped after {_MAX_ROLLBACKS} rollbacks to the same checkpoint.")
        _LOGGER.warning("%s Going back to %s with new random state.", message, folder)
        old_key = int(self.gan.random_key.numpy()[1])
        self._checkpoints.restore(folder)
        self.gan.random_key.assign([self._config.training.seed, old_key + 1])
        self.step = int(self.gan.steps_done.numpy())
        self._detector.reset()
        # What was measured and saved since then belongs to the networks that were given up.
        summary = checkpoint_files.read_summary(folder)
        self._metrics, self._saved_step = dict(summary.metrics), summary.step
        self._meters = Meters(self.step, summary.meters)
        self.log.rewind(self.step)
        return True

    def _newest_checkpoint(self) -> str:
        """A sentence on the checkpoint that is left to whoever reads of an error."""
        return f"The newest checkpoint is from step {self._saved_step}." if self._saved_step else _NO_CHECKPOINT

    def _save(self, again: bool = False, owes_evaluation: bool = False) -> None:
        """Saves a checkpoint; refuses weights that are not finite or differ over replicas.

        Args:
            again: Whether to save one even if this step has one already.
            owes_evaluation: Whether the evaluation of this step could not be computed.
        """
        if self._saved_step == self.step and not again:
            return
        bad = self._observer.non_finite()
        if bad:
            raise monitoring.NonFiniteError(
                f"Every weight must be finite to be saved. Received at step {self.step}: {', '.join(bad[:8])}. "
                f"{self._newest_checkpoint()}"
            )
        differing = self._replicas.differing()
        if differing:
            raise RuntimeError(
                f"All replicas must hold the same state. Received at step {self.step}: these differ: "
                f"{', '.join(differing[:8])}. {self._newest_checkpoint()}"
            )
        summary = checkpoint_files.CheckpointSummary(
            step=self.step,
            images_seen=int(self.gan.images_seen.numpy()),
            config=to_dict(self._config),
            num_workers=self._cluster.num_workers,
            label_names=self._manifest.label_names,
            data_fingerprint=self._manifest.fingerprint,
            metrics=self._metrics,
            asked_policy=self._asked_policy,
            meters=self._meters.collected(self.step),
            training_seconds=self._clock.seconds,
            owes_evaluation=owes_evaluation,
        )
        self._checkpoints.save(summary)
        self._saved_step, self._rollbacks = self.step, 0


def _advise(manifest: manifest_lib.Manifest, config: Config) -> None:
    text = small_data.advice(manifest.splits[config.data.split].num_records, config)
    if text:
        _LOGGER.warning("%s", text)


def _sheets_of(
    gan: GAN, config: Config, folder: str, manifest: manifest_lib.Manifest
) -> SampleSheets | EnlargementSheets:
    """What draws the pictures of the run: samples, or images of the data that were reduced and enlarged.

    Raises:
        CheckpointError: If `monitoring.pixel_workdir` holds no run on pixels alone.
    """
    if config.model.enlargement > 1:
        workdir = config.monitoring.pixel_workdir
        pixels = pixel_generator(workdir, config.model.enlargement) if workdir else None
        return EnlargementSheets(gan, folder, first_images(config.data), pixels)
    return SampleSheets(gan, folder, manifest.label_names)


def _new_gan(config: Config, manifest: manifest_lib.Manifest, cluster: distribution.Cluster) -> GAN:
    keras.utils.set_random_seed(config.training.seed)  # for the initial weights; all else draws from keys
    with cluster.strategy.scope():
        return GAN(config, manifest.splits[config.data.split].images_per_class)


def _micro_batches(config: Config, cluster: distribution.Cluster) -> batch_iterator.BatchIterator:
    """This worker's share of every micro-batch."""
    training = config.training
    return batch_iterator.BatchIterator(
        config.data,
        training.batch_size // training.accumulation_steps,
        training.seed,
        num_workers=cluster.num_workers,
        worker_index=cluster.worker,
    )


def _restore(
    checkpoints: Checkpoints,
    folder: str,
    summary: checkpoint_files.CheckpointSummary,
    config: Config,
    num_workers: int,
    data_fingerprint: str,
) -> None:
    """Restores a checkpoint, and reads the data from its beginning where `resume.changes_of_data` names a change."""
    resume.refuse_another_model(summary, config)
    resume.log_changes(summary, config)
    changes = resume.changes_of_data(summary, config, num_workers, data_fingerprint)
    if changes:
        _LOGGER.warning("The data begins anew, because of %s", ", ".join(changes))
    checkpoints.restore(folder, with_position=not changes)
    _LOGGER.info("Going on from %s", folder)


class _Profile:
    """Writes a TensorFlow trace of a few steps of this process, or of as many of them as it does before it is closed.

    Args:
        folder: Where the trace goes; "": there is none.
    """

    def __init__(self, folder: str):
        self._folder, self._steps_done, self._is_running = folder, 0, False

    def before_step(self) -> None:
        """Begins the trace if the next step is the first of it."""
        if self._folder and self._steps_done == _PROFILE_AFTER:
            tf.profiler.experimental.start(self._folder)
            self._is_running = True

    def after_step(self) -> None:
        """Ends the trace if the step was the last of it."""
        self._steps_done += 1
        if self._steps_done == _PROFILE_AFTER + _PROFILED:
            self.close()

    def close(self) -> None:
        """Ends the trace if it has begun and not ended."""
        if self._is_running:
            self._is_running = False
            tf.profiler.experimental.stop()
