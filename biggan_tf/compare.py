"""Trains several recipes with one budget, measures them by one protocol, and writes a table, curves and a page.

python -m biggan_tf.compare --config=configs/compare_cifar10.py --config.data.path=DATA --output=DIR

The runs are trained one after the other, each in DIR/runs by the ordinary commands in processes of their own. The same
command goes on where it was stopped. DIR/comparison.html, table.md and results.json are written after each run.
`--dry_run` prints the plan as JSON.

Exit status: 0 all runs are done; 2 the comparison, the data or a checkpoint is wrong, or another process writes DIR,
and the message says what to change; 1 another error of a run; 74 the disk was full, read-only or had an error; 75
SIGTERM or SIGINT stopped it, and the run in progress was saved. A run that collapses or has values that are not finite
is noted in the table, and the others go on.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from biggan_tf import stop_signals

stop_signals.take_over(__name__, "biggan-compare")

from collections.abc import Sequence

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import files
from biggan_tf.comparison import command
from biggan_tf.config import flags as config_flags
from biggan_tf.config.comparison import ComparisonConfig

_CONFIG = config_flags.define_config(example="configs/compare_cifar10.py")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Local folder of the comparison, e.g. runs/comparison; it is created if it is not there."
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print the runs, their steps and parameters, and how long they train, as JSON, and end."
)


def main(argv: Sequence[str]) -> int:
    """Compares, or prints the plan; returns the exit status."""
    del argv
    comparison = config_flags.resolve(_CONFIG, ComparisonConfig)
    comparison.validate()
    output = _OUTPUT.value or ""
    plan = (lambda: _plan(comparison, output)) if _DRY_RUN.value else None
    return command.run("biggan_tf.compare", "comparison", output, plan, lambda: _compare(comparison, output))


def run() -> None:
    """The console script."""
    config_flags.run(main, ComparisonConfig, recipes="compare_*.py")


def _compare(comparison: ComparisonConfig, output: str) -> int:
    from biggan_tf.comparison import comparing, page
    from biggan_tf.training import loop
    from biggan_tf.training.shutdown import Shutdown

    with Shutdown(has_work=False) as shutdown:
        if comparing.compare(comparison, output, shutdown) is None:
            return loop.INTERRUPTED
    print(files.read_text(files.join(output, "table.md")))  # noqa: T201 - the output
    print(files.join(output, page.PAGE))  # noqa: T201
    return loop.DONE


def _plan(comparison: ComparisonConfig, output: str) -> dict[str, object]:
    """What `--dry_run` prints."""
    from biggan_tf.comparison import dry_run, plan

    return dry_run.described(plan.checked(comparison, output), comparison)


if __name__ == "__main__":
    run()
