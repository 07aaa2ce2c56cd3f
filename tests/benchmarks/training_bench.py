"""What the trainer costs beside its step, and what accumulation costs in memory.

    python -m tests.benchmarks.run training

Overhead: the wall time of the loop's steps less the time inside the step's compiled functions, as a share. Memory: the
peak of a fresh process that trains one step.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any
from unittest import mock

TITLE = "Training: the trainer's own share of wall time, and peak memory by accumulation"
# (batch, accumulation): the last trains 64 times what its micro-batch holds.
MEMORY_CASES = ((64, 1), (256, 4), (4096, 64))
# A line of the log falls into the first steps, for which its graph is compiled, and one into those that are measured.
_WARM_UP, _STEPS, _LOG_EVERY = 21, 30, 20


def _data(folder: str) -> str:
    from tests.data import made_data

    made_data.write(folder, num_shards=4, per_shard=2000, num_classes=10, resolution=32)
    return folder


def _config(data: str, batch_size: int, accumulation: int, channels: int) -> Any:
    from configs import biggan_cifar10

    config = biggan_cifar10.get_config()
    config.data.path = data
    config.model.policy = "float32"
    config.model.generator_channels = config.model.discriminator_channels = channels
    config.training.batch_size, config.training.accumulation_steps = batch_size, accumulation
    return config


def overhead(folder: str) -> dict[str, float]:
    """Shares of wall time of the 32-pixel recipe at batch 64 and ch 16."""
    from biggan_tf.training import loop, step_runner

    config = _config(_data(os.path.join(folder, "data")), 64, 1, 16)
    config.training.num_steps = _WARM_UP + _STEPS
    config.monitoring.log_every_steps = _LOG_EVERY
    begins, ends, waits = [], [], []
    call, run = step_runner.ReportingCall.__call__, step_runner.StepRunner.run

    def timed_call(self: step_runner.ReportingCall, *args: Any) -> dict[str, float]:
        begins.append(time.perf_counter())
        result = call(self, *args)  # reads the scalars, and so waits until the step is done
        ends.append(time.perf_counter())
        return result

    def watched_run(self: step_runner.StepRunner) -> dict[str, float]:
        report = run(self)
        waits.append(self.data_wait_s)
        return report

    with (
        mock.patch.object(step_runner.ReportingCall, "__call__", timed_call),
        mock.patch.object(step_runner.StepRunner, "run", watched_run),
    ):
        loop.train(config, os.path.join(folder, "run"))
    # From the end of one step to the end of another, so that neither the start counts nor what follows the last.
    wall = ends[-1] - ends[_WARM_UP - 1]
    inner = sum(end - begin for begin, end in zip(begins[_WARM_UP:], ends[_WARM_UP:], strict=True))
    return {
        "step_s": inner / _STEPS,
        "overhead_share": 1.0 - inner / wall,
        "data_wait_share": sum(waits[_WARM_UP:]) / wall,
    }


def memory(data: str, batch_size: int, accumulation: int) -> int:
    """Peak bytes of a process that trains one step."""
    code = (
        "import sys; from tests.benchmarks import training_bench as b; "
        f"b.one_step({data!r}, {batch_size}, {accumulation})"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ
    ).stdout
    return int(output.strip().splitlines()[-1])


def one_step(data: str, batch_size: int, accumulation: int) -> None:
    """The child of `memory`: trains one step and prints its peak."""
    from biggan_tf.training import distribution, loop, run_log

    config = _config(data, batch_size, accumulation, 16)
    config.game.discriminator_steps = 1
    with tempfile.TemporaryDirectory() as folder:
        run = loop.Run.start_or_resume(config, folder, distribution.connect(config.distribution))
        run._runner.run()
        run.log.close()
    sys.stdout.write(f"{run_log.memory_bytes()}\n")


def measure() -> list[dict[str, Any]]:
    """One row for the overhead, one for each batch size."""
    with tempfile.TemporaryDirectory() as folder:
        rows: list[dict[str, Any]] = [{"case": "biggan_cifar10 at ch 16, batch 64", **overhead(folder)}]
        data = os.path.join(folder, "data")
        for batch, count in MEMORY_CASES:
            rows.append(
                {"case": f"batch {batch} = {count} x {batch // count}", "peak_bytes": memory(data, batch, count)}
            )
    return rows
