"""What was measured of the runs of a comparison: their metrics with mean and spread over seeds, and their curves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from biggan_tf import files
from biggan_tf.comparison import execution
from biggan_tf.comparison.plan import Parameters, PlannedRun, fields_without_meaning
from biggan_tf.config import metric_names
from biggan_tf.evaluation.protocol import MetricProtocol
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.reports.results import WITHOUT_NETWORK
from biggan_tf.evaluation.reports.run_report import read_log
from biggan_tf.training.checkpoints import deciding_metric
from biggan_tf.training.run_log import METRICS

# Numbers that explain another one: they are in the JSON file, and would make the table too wide.
_PARTS = ("_mean_part", "_covariance_part", "_deviation", "_worst", "_worst_class", "_num_classes")


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """One evaluation in the course of a run.

    Attributes:
        images_seen: How many real images D had seen.
        minutes: How long the run had trained.
        value: The deciding metric.
    """

    images_seen: float
    minutes: float
    value: float


@dataclasses.dataclass(frozen=True)
class RunMeasurement:
    """One run and its numbers.

    Attributes:
        entry: The name of the entry.
        seed: The seed of the run.
        step: How many steps of the game were done.
        images_seen: How many real images D has seen.
        minutes: How long the steps took.
        metrics: The numbers at the end by name; empty where the run failed.
        remarks: What a reader of the metrics must know, a sentence each.
        failure: Why there are no numbers, as a clause; "": there are.
        curve: The evaluations in the course of the run.
    """

    entry: str
    seed: int
    step: int
    images_seen: int
    minutes: float
    metrics: dict[str, float]
    remarks: tuple[str, ...]
    failure: str
    curve: tuple[CurvePoint, ...]

    @property
    def images_per_second(self) -> float:
        """Real images that D saw in a second of training."""
        return self.images_seen / (60.0 * self.minutes) if self.minutes else 0.0


@dataclasses.dataclass(frozen=True)
class Spread:
    """A number over the seeds of an entry.

    Attributes:
        mean: The arithmetic mean.
        deviation: The sample standard deviation, with n - 1 in the denominator; None: there is one seed alone.
        count: n, how many seeds there are.
    """

    mean: float
    deviation: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The mean and the deviation of at least one number."""
        mean = math.fsum(values) / len(values)
        if len(values) < 2:
            return cls(mean, None, len(values))
        # s^2 = sum (x - mean)^2 / (n - 1)
        return cls(mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)), len(values))


@dataclasses.dataclass(frozen=True)
class EntryMeasurement:
    """An entry and its numbers over all of its seeds.

    Attributes:
        name: The name of the entry.
        parameters: How many parameters its networks have.
        runs: The measurements of its complete runs, failed ones included.
        metrics: Each metric over the seeds whose runs did not fail.
    """

    name: str
    parameters: Parameters
    runs: tuple[RunMeasurement, ...]
    metrics: dict[str, Spread]


@dataclasses.dataclass(frozen=True)
class Measurements:
    """All that is known of a comparison so far.

    Attributes:
        entries: The best first, by the first metric; those without numbers last. Entries of which no run is complete
            are left out.
        protocol: The protocol of all numbers; None: there are none yet.
        num_planned: How many runs the comparison has in all.
    """

    entries: tuple[EntryMeasurement, ...]
    protocol: MetricProtocol | None
    num_planned: int

    @property
    def runs(self) -> list[RunMeasurement]:
        """All runs that are complete."""
        return [run for entry in self.entries for run in entry.runs]

    @property
    def metric_names(self) -> list[str]:
        """All metrics, the deciding one first."""
        return list(dict.fromkeys(name for entry in self.entries for name in entry.metrics))

    @property
    def shown_names(self) -> list[str]:
        """The metrics that tables show."""
        others = tuple(f"{way}_" for way in WITHOUT_NETWORK)
        return [name for name in self.metric_names if not name.endswith(_PARTS) and not name.startswith(others)]

    @property
    def without_network(self) -> dict[str, dict[str, float]]:
        """The metrics of enlargements without a network, by what enlarges; empty where nothing is enlarged.

        They are equal in all runs.
        """
        metrics = next((run.metrics for run in self.runs if run.metrics), {})
        ways = {
            way: {name: metrics[f"{way}_{name}"] for name in self.shown_names if f"{way}_{name}" in metrics}
            for way in WITHOUT_NETWORK
        }
        return {way: numbers for way, numbers in ways.items() if numbers}


def collect(runs: Sequence[PlannedRun]) -> Measurements:
    """Reads what is known of the runs.

    Raises:
        ProtocolMismatchError: If two of them were measured by different protocols; names each difference.
    """
    complete = [run for run in runs if execution.is_complete(run)]
    measured = [(run, results.load(execution.result_path(run))) for run in complete if not _failure(run)]
    for run, result in measured[1:]:
        first, expected = measured[0]
        ignoring = fields_without_meaning(run.config.model, first.config.model)
        results.require_comparable(result.protocol, expected.protocol, ignoring)
    metrics = {run.name: result.metrics for run, result in measured}
    remarks = {run.name: result.remarks for run, result in measured}
    entries = []
    for name in dict.fromkeys(run.entry for run in complete):
        own = [run for run in complete if run.entry == name]
        of_runs = tuple(_measurement(run, metrics.get(run.name, {}), remarks.get(run.name, ())) for run in own)
        numbers = [run.metrics for run in of_runs if run.metrics]
        names = _names(numbers[0], own[0].config.evaluation.metrics) if numbers else []
        spreads = {name: Spread.of([values[name] for values in numbers]) for name in names}
        entries.append(EntryMeasurement(name, own[0].parameters, of_runs, spreads))
    return Measurements(
        tuple(sorted(entries, key=_cost)), measured[0][1].protocol if measured else None, num_planned=len(runs)
    )


def _names(metrics: Mapping[str, float], asked: Sequence[str]) -> list[str]:
    """The names of metrics, the deciding one first: results of older versions have them in other orders."""
    first = metric_names.deciding(asked, metrics)
    return [first, *(name for name in metrics if name != first)]


def _cost(entry: EntryMeasurement) -> float:
    """Lower for a better entry; infinite without numbers."""
    if not entry.metrics:
        return math.inf
    cost = deciding_metric.cost({name: spread.mean for name, spread in entry.metrics.items()})
    return cost if math.isfinite(cost) else math.inf


def _failure(run: PlannedRun) -> str:
    ended = execution.outcome(run)
    return ended["reason"] if ended else ""


def _measurement(run: PlannedRun, metrics: dict[str, float], remarks: tuple[str, ...]) -> RunMeasurement:
    ended = execution.outcome(run)
    if ended is None:
        raise ValueError(f"{run.name} must be complete to be measured. Received: a run that is not")
    return RunMeasurement(
        run.entry,
        run.seed,
        ended["step"],
        ended["images_seen"],
        ended["training_seconds"] / 60.0,
        metrics,
        remarks,
        ended["reason"],
        curve(run.workdir),
    )


def curve(workdir: str) -> tuple[CurvePoint, ...]:
    """The evaluations in a run's metrics.jsonl.

    The lines of evaluations have the step alone. The images and minutes at that step follow from the regular lines
    before and after it, between which both grow evenly.
    """
    lines = read_log(files.join(workdir, METRICS))
    regular = [line for line in lines if "training_seconds" in line and "images_seen" in line]
    if not regular:
        return ()
    steps, images, seconds = (
        np.array([0.0, *(float(str(line[name])) for line in regular)])
        for name in ("step", "images_seen", "training_seconds")
    )
    points = []
    for line in lines:
        name = next((name for name in line if name != "step"), "")
        value = line.get(name)
        if line in regular or "collapse" in line or not isinstance(value, float):
            continue
        step = float(str(line["step"]))
        points.append(
            CurvePoint(
                float(np.interp(step, steps, images)),
                float(np.interp(step, steps, seconds)) / 60.0,
                value,
            )
        )
    return tuple(points)
