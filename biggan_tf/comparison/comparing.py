"""A whole comparison in one call: plans it, completes its runs, and writes what is known after each."""

from __future__ import annotations

from biggan_tf.comparison import measurements, page, plan, table
from biggan_tf.comparison.execution import ComparisonExecution
from biggan_tf.comparison.measurements import Measurements
from biggan_tf.config.comparison import ComparisonConfig
from biggan_tf.training import loop
from biggan_tf.training.shutdown import Shutdown


def compare(comparison: ComparisonConfig, output: str, shutdown: Shutdown) -> Measurements | None:
    """Does what is left of a comparison, and writes its page, table and numbers after each run.

    Args:
        comparison: What is compared.
        output: Its folder, whose lock the caller holds.
        shutdown: Knows of signals to this process.

    Returns:
        What was measured; None: a signal came, and the training in progress was saved.

    Raises:
        ValueError: If the plan cannot be carried out, see `plan.checked`.
        ExecutionError: If a command of a run failed.
    """
    runs = plan.checked(comparison, output)
    plan.write(runs, comparison, output)

    def write() -> Measurements:
        known = measurements.collect(runs)
        table.write(known, output)
        page.write(comparison, runs, known, output)
        return known

    if ComparisonExecution(comparison, runs, output, shutdown).run(write) != loop.DONE:
        return None
    return write()
