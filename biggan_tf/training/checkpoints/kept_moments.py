"""The standing statistics of a run's checkpoints, kept in its folder so that they are measured once."""

from __future__ import annotations

import contextlib

from biggan_tf import files
from biggan_tf.contracts.generator import Generator
from biggan_tf.inference.served_moments import ServedMoments, StandingPlan, has_served_moments
from biggan_tf.inference.standing_statistics import StandingStatistics
from biggan_tf.presets import moments_file

FOLDER = "standing_statistics"


def kept_moments(
    workdir: str, step: int, generator: Generator, plan: StandingPlan | None = None, progress: bool = False
) -> ServedMoments:
    """The moments that the EMA generator of a checkpoint is served with.

    They are those of WORKDIR/standing_statistics/step-00001000.safetensors, as far as that file has them and they
    belong to these weights. Whatever else is needed is measured then, and kept there if the folder can be written.

    Args:
        workdir: The folder of the run.
        step: The step of the checkpoint.
        generator: Its EMA generator.
        plan: How an export wants them measured; None: as they were measured last, so that pictures agree with the last
            export, or else by the plan of an export that is told nothing.
        progress: Whether a bar tells how far a measurement is; not by default.
    """
    path = files.join(workdir, FOLDER, f"step-{step:08d}.safetensors")

    def keep(measured_by: StandingPlan, statistics: StandingStatistics) -> None:
        with contextlib.suppress(OSError):  # a run on a disk that is full or read-only is measured each time
            files.make_folder(files.join(workdir, FOLDER))
            moments_file.write(path, measured_by, statistics, generator)

    before = moments_file.read_kept(path, generator) if has_served_moments(generator) else None
    if before is not None and plan in (None, before[0]):
        return ServedMoments(generator, *before, keep, progress)
    return ServedMoments(generator, plan, None, keep, progress)
