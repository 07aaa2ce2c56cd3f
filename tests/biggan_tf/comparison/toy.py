"""A comparison of two games of the smallest networks, and runs of it that look complete without having been trained."""

import dataclasses
import json

import numpy as np

from biggan_tf import files
from biggan_tf.comparison import execution, plan
from biggan_tf.config import EvaluationConfig
from biggan_tf.config.comparison import (
    BudgetConfig,
    ComparedDataConfig,
    ComparisonConfig,
    ComparisonEntry,
    CurveConfig,
)
from biggan_tf.evaluation.extractors.features import FeatureProtocol
from biggan_tf.evaluation.protocol import ImageProtocol, MetricProtocol, SampleProtocol
from biggan_tf.evaluation.reports import results
from biggan_tf.games.config import HingeConfig, NonSaturatingConfig
from tests.biggan_tf.training import tiny

PROTOCOL = MetricProtocol(FeatureProtocol("tiny", "0" * 64, "none"), ImageProtocol(), SampleProtocol())


def recipe(game=None):
    made = tiny.config()
    made.game = game or HingeConfig(1)
    made.monitoring.log_every_steps = 10
    return made


def comparison(data, **fields):
    values = {
        "name": "A <toy> comparison",
        "entries": (
            ComparisonEntry("hinge", recipe(), (0, 1)),
            ComparisonEntry("logistic", recipe(NonSaturatingConfig(1))),
        ),
        "data": ComparedDataConfig(str(data)),
        "budget": BudgetConfig(images=4_000),
        "evaluation": EvaluationConfig(metrics=("fd",), num_samples=16, num_real=16),
        "curve": CurveConfig(points=4, num_samples=8),
        "samples_per_class": 2,
    }
    return ComparisonConfig(**{**values, **fields})


def complete(run, metrics, protocol=PROTOCOL, reason=""):
    """Writes what a run has when nothing of it is left to be done."""
    folder = files.join(run.workdir, execution.FOLDER)
    ended = {"status": 0, "reason": reason, "step": 500, "images_seen": 4_000, "training_seconds": 120.0}
    files.write_json(files.join(folder, "outcome.json"), ended)
    lines = [
        {"step": 100 * i, "images_seen": 800 * i, "training_seconds": 24.0 * i, "d_loss": 1.0} for i in range(1, 6)
    ]
    lines += [{"step": 125 * i, "fd_tiny": 50.0 / i, "fd_tiny_mean_part": 1.0} for i in range(1, 5)]
    lines.sort(key=lambda line: line["step"])
    files.write_text(files.join(run.workdir, "metrics.jsonl"), "".join(f"{json.dumps(line)}\n" for line in lines))
    if reason:
        return
    results.save(results.Result(metrics, protocol, run.workdir), execution.result_path(run))
    random = np.random.default_rng(run.seed)
    classes = run.config.model.num_classes
    rows = len(execution.sheet_labels(classes)) or 10
    images = random.integers(0, 256, (2 * rows, 8, 8, 3), np.uint8)
    files.write_npz(execution.samples_path(run), {"arr_0": images, "arr_1": np.arange(2 * rows) % rows})


def runs_of(made, output):
    """The plan, without asking for the networks' parameters."""
    return [
        plan.PlannedRun(
            entry.name,
            seed,
            plan.run_config(made, entry, seed, str(output)),
            str(output / "runs" / f"{entry.name}-{seed}"),
            plan.Parameters(generator=1_500_000, discriminator=1_200_000),
        )
        for entry in made.entries
        for seed in made.seeds_of(entry)
    ]


def other_protocol(**samples):
    return dataclasses.replace(PROTOCOL, samples=dataclasses.replace(PROTOCOL.samples, **samples))
