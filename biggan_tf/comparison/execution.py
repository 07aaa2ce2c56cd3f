"""Trains, evaluates and samples each run of a comparison, one after the other, by the ordinary commands.

What is done already is not done again: a training goes on from its newest checkpoint, to the bit, and a run that has
its numbers and samples is left alone.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from typing import TypedDict

from biggan_tf import files, storage_failure
from biggan_tf.comparison import child_process
from biggan_tf.comparison.plan import RECIPE, REFERENCE, ComparisonError, PlannedRun
from biggan_tf.comparison.progress import Progress
from biggan_tf.config.comparison import ComparisonConfig
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.training import loop
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.shutdown import Shutdown

FOLDER = "comparison"  # in a run's workdir: what the comparison measured of it
_OUTCOME, _RESULT, _SAMPLES, _LOG = "outcome.json", "result.json", "samples.npz", "output.log"
_ENLARGEMENTS = "enlargements.npz"  # biggan_tf.evaluate writes it before result.json: where that is, this is, too
MAX_ROWS = 10  # of a sheet
_FAILURES = {loop.NON_FINITE: "a value was not finite", loop.COLLAPSED: "the networks collapsed"}
_LOGGER = logging.getLogger(__name__)


class ExecutionError(RuntimeError):
    """A command of a comparison failed; the message has its last words, and `status` is how this one is to end."""

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class Outcome(TypedDict):
    """How the training of a run ended.

    Attributes:
        status: The exit status of `biggan_tf.train`.
        reason: Why there are no numbers, as a clause; "": there are.
        step: How many steps of the game were done.
        images_seen: How many real images D has seen.
        training_seconds: How long the steps took.
    """

    status: int
    reason: str
    step: int
    images_seen: int
    training_seconds: float


@dataclasses.dataclass(frozen=True)
class ComparisonExecution:
    """Runs what is left of a comparison.

    Attributes:
        comparison: The protocol, and how many samples the sheets show.
        runs: The plan.
        output: The folder of the comparison.
        shutdown: Knows of signals to this process.
    """

    comparison: ComparisonConfig
    runs: Sequence[PlannedRun]
    output: str
    shutdown: Shutdown

    def run(self, after_each: Callable[[], object]) -> int:
        """Completes every run.

        Args:
            after_each: Is called whenever a run has become complete, to write what is known by then.

        Returns:
            DONE, or INTERRUPTED if a signal came: the training in progress was saved.

        Raises:
            ExecutionError: If a command failed for another reason than a collapse or a number that was not finite. The
                latter two are noted as the outcome of the run, and the comparison goes on.
        """
        progress = Progress(self.runs, sum(is_complete(run) for run in self.runs))
        try:
            for number, run in enumerate(self.runs, 1):
                if is_complete(run):
                    continue
                if self.shutdown.requested:
                    return loop.INTERRUPTED
                progress.start(number, run)
                if not self._complete(run, progress):
                    return loop.INTERRUPTED
                progress.finish()
                after_each()
        finally:
            progress.close()
        return loop.DONE

    def _complete(self, run: PlannedRun, progress: Progress) -> bool:
        """Does what is left of one run; returns False if a signal came."""
        ended = outcome(run)
        if ended is None:
            child_process.wait_until_free(run.workdir)
            words = ["biggan_tf.train", f"--config={files.join(run.workdir, RECIPE)}", f"--workdir={run.workdir}"]
            status = self._command(words, run, lambda: progress.training(run), allowed=tuple(_FAILURES))
            if status == loop.INTERRUPTED:
                return False
            ended = _write_outcome(run, status)
        if ended["reason"]:
            _LOGGER.warning("%s has no numbers: %s.", run.name, ended["reason"])
            return True
        for path, words, what in (
            (result_path(run), self._evaluation(run), "evaluating"),
            (samples_path(run), self._drawing(run), "drawing samples"),
        ):
            if files.exists(path):
                continue
            if self._command(words, run, functools.partial(progress.show, what)) == loop.INTERRUPTED:
                return False
        return True

    def _command(
        self, words: Sequence[str], run: PlannedRun, poll: Callable[[], None], allowed: tuple[int, ...] = ()
    ) -> int:
        """Runs a command; returns DONE, INTERRUPTED, or one of the other statuses that are allowed."""
        log = files.join(run.workdir, FOLDER, _LOG)
        self.shutdown.has_work = True
        status = child_process.run(words, log, self.shutdown, poll)
        self.shutdown.has_work = False
        if self.shutdown.requested or status == loop.INTERRUPTED:
            return loop.INTERRUPTED
        if status == loop.DONE or status in allowed:
            return status
        ends_with = status if status in (2, storage_failure.STATUS) else 1
        told = child_process.last_lines(log)
        raise ExecutionError(
            f"{run.name}: python -m {words[0]} ended with status {status}. The end of {log}:\n{told}\n"
            "The same command goes on once the cause is gone.",
            ends_with,
        )

    def _drawing(self, run: PlannedRun) -> list[str]:
        """What writes the pictures of a run; enlarged images are written by their evaluation."""
        return self._evaluation(run) if self.comparison.enlarges else self._samples(run)

    def _evaluation(self, run: PlannedRun) -> list[str]:
        protocol = self.comparison.evaluation
        # As many images are enlarged as there are real ones to compare them with.
        num_real = protocol.num_samples if self.comparison.enlarges else protocol.num_real
        return [
            "biggan_tf.evaluate",
            f"--workdir={run.workdir}",
            f"--data={self.comparison.data.path}",
            f"--split={self.comparison.data.split}",
            f"--reference={protocol.reference_path or files.join(self.output, REFERENCE)}",
            f"--metrics={','.join(protocol.metrics)}",
            f"--features={protocol.features}",
            f"--features_path={protocol.features_path}",
            f"--num_samples={protocol.num_samples}",
            f"--num_real={num_real}",
            f"--labels={protocol.labels}",
            f"--output={files.join(run.workdir, FOLDER)}",
        ]

    def _samples(self, run: PlannedRun) -> list[str]:
        labels = sheet_labels(run.config.model.num_classes)
        names = manifest_lib.load(self.comparison.data.path).label_names
        # By name, since folders may be called by other numbers than their labels; a comma would end a name.
        classes = [str(label) if "," in names[label] else names[label] for label in labels]
        return [
            "biggan_tf.sample",
            f"--workdir={run.workdir}",
            "--kind=images",
            f"--num={(len(labels) or MAX_ROWS) * self.comparison.samples_per_class}",
            f"--classes={','.join(classes)}",
            f"--output={samples_path(run)}",
        ]


def sheet_labels(num_classes: int) -> list[int]:
    """The classes that sheets show, at most ten, spread evenly over all; without classes none."""
    rows = min(MAX_ROWS, num_classes)
    return [row * num_classes // rows for row in range(rows)]


def result_path(run: PlannedRun) -> str:
    """The file with the metrics of a run."""
    return files.join(run.workdir, FOLDER, _RESULT)


def samples_path(run: PlannedRun) -> str:
    """The file with the samples of a run: "arr_0" has the images, "arr_1" their labels.

    Of a run that enlarges images it has the columns of its sheet by name (`EnlargementEvaluator.columns`).
    """
    return files.join(run.workdir, FOLDER, _ENLARGEMENTS if run.config.model.enlargement > 1 else _SAMPLES)


def outcome(run: PlannedRun) -> Outcome | None:
    """How the training of a run ended; None: it has not ended yet.

    Raises:
        ComparisonError: If the file that says so is damaged.
    """
    path = files.join(run.workdir, FOLDER, _OUTCOME)
    if not files.exists(path):
        return None
    try:
        values = files.read_json(path)
        return Outcome(
            status=int(values["status"]),
            reason=str(values["reason"]),
            step=int(values["step"]),
            images_seen=int(values["images_seen"]),
            training_seconds=float(values["training_seconds"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ComparisonError(
            f"{path} must say how a training ended ({error}). Remove the file: the training is looked at again."
        ) from error


def is_complete(run: PlannedRun) -> bool:
    """Whether nothing of a run is left to be done."""
    ended = outcome(run)
    if ended is None:
        return False
    return bool(ended["reason"]) or all(map(files.exists, (result_path(run), samples_path(run))))


def _write_outcome(run: PlannedRun, status: int) -> Outcome:
    folder = checkpoint_files.newest_whole(run.workdir)
    summary = checkpoint_files.read_summary(folder) if folder else None
    ended = Outcome(
        status=status,
        reason=_FAILURES.get(status, ""),
        step=summary.step if summary else 0,
        images_seen=summary.images_seen if summary else 0,
        training_seconds=summary.training_seconds if summary else 0.0,
    )
    files.write_json(files.join(run.workdir, FOLDER, _OUTCOME), ended)
    return ended
