"""Trainer: trains a model on the examples and exports it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import uuid
from pathlib import Path
from typing import Any, ClassVar

from biggan_tf.config import Config, to_dict
from pipeline.staged.config import PipelineConfig
from pipeline.staged.stage import Stage, StageContext, StageError, StageInterrupted, StageResult
from pipeline.staged.stages.artifacts import SERVING_FOLDER, UUID_FILE


class Trainer(Stage):
    """Reads examples; writes `model_run` (checkpoints, metrics.jsonl, samples) and `model` (a SavedModel)."""

    name = "Trainer"
    inputs: ClassVar = {
        "examples": ("ExampleGen", "examples"),
        "anomalies": ("ExampleValidator", "anomalies"),
    }
    outputs: ClassVar = {"model_run": "ModelRun", "model": "Model"}
    excluded_code: ClassVar = {
        "serving.server": "the export is loaded in a server to check it, which changes nothing in the export",
        "serving.client": "it asks that server",
    }

    def settings(self, config: PipelineConfig) -> Any:
        return {"trainer": to_dict(config.trainer), "export": config.export}

    def run(self, context: StageContext) -> StageResult:
        config: PipelineConfig = context.config
        workdir = context.output("model_run")
        trainer = dataclasses.replace(
            config.trainer, data=dataclasses.replace(config.trainer.data, path=str(context.input("examples")))
        )
        train(trainer, workdir)
        exported, images_seen = export(config, workdir, context.folder / "export")
        model = context.empty_output("model")
        os.rename(exported, model / SERVING_FOLDER)
        identity = uuid.uuid4().hex
        uuid_file = model / SERVING_FOLDER / UUID_FILE
        uuid_file.parent.mkdir(exist_ok=True)  # an export without warm-up requests has no assets.extra
        uuid_file.write_text(identity + "\n", encoding="ascii")
        summary = f"{trainer.training.num_steps} steps, {images_seen:,} images seen"
        return StageResult(
            {
                "model_run": {"summary": summary},
                "model": {"uuid": identity, "summary": f"EMA generator, {identity[:8]}"},
            }
        )


def train(config: Config, workdir: Path) -> None:
    """Trains a model, or continues a training.

    Args:
        config: The training's configuration.
        workdir: Folder of the run; if it holds a checkpoint, the training continues from it.

    Raises:
        StageError: If the training cannot run, or ended before its last step; the message says what to do.
        StageInterrupted: If a signal stopped it, after it was saved.
    """
    from biggan_tf.data.manifest import DataError
    from biggan_tf.folder_lock import FolderInUseError
    from biggan_tf.training import loop
    from biggan_tf.training.checkpoints.files import CheckpointError

    try:
        status = loop.train(config, str(workdir))
    except (DataError, CheckpointError, FolderInUseError, ValueError) as error:
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
    """Exports a run's newest checkpoint.

    Args:
        config: The pipeline's configuration, whose section `export` says how.
        workdir: Folder of the run.
        base: Folder to export to. It is emptied first, because an attempt that was killed may have left something.

    Returns:
        (folder of the exported version, number of real images that the training had seen).

    Raises:
        StageError: If the export failed.
    """
    from biggan_tf.training.checkpoints.files import CheckpointError, newest_whole, read_summary
    from serving.export.export_run import export_run
    from serving.export.infra_validation import ExportError

    shutil.rmtree(base, ignore_errors=True)
    try:
        folder = newest_whole(str(workdir))
        images_seen = read_summary(folder).images_seen if folder else 0
        return Path(export_run(str(workdir), str(base), config.export)), images_seen
    except (CheckpointError, ExportError, ValueError) as error:
        raise StageError(f"The export failed: {error}") from error
