"""What `--dry_run` says of a comparison: its runs, what each trains, and how long that takes as far as it is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from biggan_tf.comparison import execution, progress, settings
from biggan_tf.comparison.plan import PlannedRun
from biggan_tf.config.comparison import ComparisonConfig


def described(runs: Sequence[PlannedRun], comparison: ComparisonConfig) -> dict[str, object]:
    """The plan as a JSON object.

    Args:
        runs: The plan. Runs that have begun say how fast they are.
        comparison: Has the budget and the protocol.
    """
    left = [minutes_left(run) for run in runs]
    known = [minutes for minutes in left if minutes is not None]
    return {
        "name": comparison.name,
        "budget": dataclasses.asdict(comparison.budget),
        "evaluation": dataclasses.asdict(comparison.evaluation),
        "num_runs": len(runs),
        "num_complete": sum(execution.is_complete(run) for run in runs),
        "training_minutes_left": round(sum(known), 1) if len(known) == len(runs) else None,
        "runs": [_described(run, minutes) for run, minutes in zip(runs, left, strict=True)],
    }


def minutes_left(run: PlannedRun) -> float | None:
    """How many minutes of training a run still needs, without evaluations; None: it has not begun, nobody knows."""
    if execution.outcome(run) is not None:
        return 0.0
    report = progress.newest_report(run.workdir)
    if report is not None:
        return report["seconds_left"] / 60.0
    return run.config.training.max_minutes or None


def _described(run: PlannedRun, minutes: float | None) -> dict[str, object]:
    config = run.config
    by_time = config.training.max_minutes
    return {
        "entry": run.entry,
        "seed": run.seed,
        "parts": settings.of_recipe(config),
        "parameters": run.parameters,
        "batch_size": config.training.batch_size,
        "images_per_step": config.images_per_step,
        "steps": f"as many as {by_time:g} minutes allow" if by_time else config.training.num_steps,
        "training_minutes_left": None if minutes is None else round(minutes, 1),
    }
