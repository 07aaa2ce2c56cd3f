"""Trainer: examples to a trained run and its export."""

from __future__ import annotations

import dataclasses
import os
import shutil
import uuid
from pathlib import Path
from typing import Any, ClassVar

from biggan_tf.config import Config, to_dict
from pipeline.orchestration.stage import Outcome, Stage, StageError, StageInterrupted, Work
from pipeline.pipeline_config import PipelineConfig

SERVING_FOLDER = "Format-Serving"
UUID_FILE = "assets.extra/mlmd_uuid"
TRAINING_CODE = (
    "biggan_tf/config*.py", "biggan_tf/precision.py", "biggan_tf/latents.py", "biggan_tf/data", "biggan_tf/ops",
    "biggan_tf/layers", "biggan_tf/networks", "biggan_tf/losses", "biggan_tf/training",
)  # fmt: skip


class Trainer(Stage):
    """Examples to `model_run` (checkpoints, metrics.jsonl, samples) and `model` (`Format-Serving/`, a SavedModel)."""

    name = "Trainer"
    inputs: ClassVar = {
        "examples": ("ExampleGen", "examples"),
        "anomalies": ("ExampleValidator", "anomalies"),
    }
    outputs: ClassVar = {"model_run": "ModelRun", "model": "Model"}
    code = (
        *TRAINING_CODE, "biggan_tf/evaluation/standing_statistics.py", "serving/export", "serving/signatures.py",
        "pipeline/stages/trainer.py",
    )  # fmt: skip

    def settings(self, config: PipelineConfig) -> Any:
        return {"trainer": to_dict(config.trainer), "export": config.export}

    def run(self, work: Work) -> Outcome:
        config: PipelineConfig = work.config
        workdir = work.output("model_run")
        trainer = dataclasses.replace(
            config.trainer, data=dataclasses.replace(config.trainer.data, path=str(work.input("examples")))
        )
        train(trainer, workdir)
        exported, images_seen = export(config, workdir, work.folder / "export")
        model = work.empty_output("model")
        os.rename(exported, model / SERVING_FOLDER)
        identity = uuid.uuid4().hex
        (model / SERVING_FOLDER / UUID_FILE).write_text(identity + "\n", encoding="ascii")
        summary = f"{trainer.training.num_steps} steps, {images_seen:,} images seen"
        return Outcome(
            {
                "model_run": {"summary": summary},
                "model": {"uuid": identity, "summary": f"EMA generator, {identity[:8]}"},
            }
        )


def train(config: Config, workdir: Path) -> None:
    """Trains, or goes on training, in `workdir`.

    Raises:
        StageError: With the way out.
        StageInterrupted: By a signal, after saving.
    """
    from biggan_tf.data.manifest import DataError
    from biggan_tf.training import loop
    from biggan_tf.training.checkpoint_files import CheckpointError

    try:
        status = loop.train(config, str(workdir))
    except (DataError, CheckpointError, ValueError) as error:
        raise StageError(f"The training cannot run: {error}") from error
    if status == loop.INTERRUPTED:
        raise StageInterrupted("The training was stopped by a signal and is saved. The same command goes on.")
    if status != loop.DONE:
        reason = {loop.NON_FINITE: "a value that is not finite", loop.COLLAPSED: "collapse"}.get(status, str(status))
        raise StageError(
            f"The training ended with {reason}; the lines above say where. Change the recipe, or run again to go on "
            "from the newest checkpoint."
        )


def export(config: PipelineConfig, workdir: Path, base: Path) -> tuple[Path, int]:
    """Exports a run's newest checkpoint; returns the version's folder and the images seen.

    Args:
        config: Its `export` section.
        workdir: Of the run.
        base: Emptied first; a killed attempt may have left something.
    """
    from biggan_tf.training.checkpoint_files import CheckpointError, newest_whole, read_record
    from serving.export.export_run import ExportPlan, export_run
    from serving.export.infra_validation import ExportError

    shutil.rmtree(base, ignore_errors=True)
    plan = ExportPlan(**dataclasses.asdict(config.export))
    try:
        folder = newest_whole(str(workdir))
        images_seen = read_record(folder).images_seen if folder else 0
        return Path(export_run(str(workdir), str(base), plan)), images_seen
    except (CheckpointError, ExportError, ValueError) as error:
        raise StageError(f"The export failed: {error}") from error
