"""Pusher: copies a model that Evaluator and InfraValidator have blessed to where servers look for new versions."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from biggan_tf import files
from biggan_tf.folder_lock import FolderInUseError, FolderLock
from pipeline.staged import fingerprints
from pipeline.staged.config import PipelineConfig
from pipeline.staged.hash_memory import HashMemory
from pipeline.staged.metadata import Artifact
from pipeline.staged.stage import Stage, StageContext, StageError, StageResult
from pipeline.staged.stages.artifacts import SERVING_FOLDER, UUID_FILE

_STAGING = ".staging-"
_LAST_VERSION = ".last_version"


class Pusher(Stage):
    """Reads a model and its blessings; writes the destination's next version, and `pushed_model` for the records."""

    name = "Pusher"
    inputs: ClassVar = {
        "model": ("Trainer", "model"),
        "model_blessing": ("Evaluator", "blessing"),
        "infra_blessing": ("InfraValidator", "blessing"),
    }
    outputs: ClassVar = {"pushed_model": "PushedModel"}

    def settings(self, config: PipelineConfig) -> Any:
        return {"pusher": config.pusher, "name": config.name}

    def run(self, context: StageContext) -> StageResult:
        config: PipelineConfig = context.config
        for key in ("model_blessing", "infra_blessing"):
            if context.inputs[key].properties.get("blessed") != 1:
                raise StageError(f"A model must be blessed twice to be pushed. Received: {key} without a blessing.")
        destination = destination_of(config, context.pipeline_root)
        try:
            version = push(context.input("model") / SERVING_FOLDER, destination)
        except FolderInUseError as error:
            raise StageError(str(error)) from error
        output = context.empty_output("pushed_model")
        pushed = os.path.join(destination, str(version))
        (output / "pushed_destination.txt").write_text(pushed + "\n", encoding="utf-8")
        properties: dict[str, Any] = {
            "pushed": 1,
            "pushed_destination": pushed,
            "pushed_version": version,
            "summary": f"version {version}",
        }
        return StageResult({"pushed_model": properties})

    def lost(self, inputs: Mapping[str, Artifact], outputs: Mapping[str, Artifact], hashes: HashMemory) -> str:
        """Compares the pushed version, which lies where anyone may clean up, with the model."""
        pushed = Path(str(outputs["pushed_model"].properties.get("pushed_destination", "")))
        model = Path(inputs["model"].uri) / SERVING_FOLDER
        if not pushed.name.isdecimal() or not pushed.is_dir():
            return f"the pushed version {pushed} is gone"
        there, wanted = hashes.of_folder(pushed), hashes.of_folder(model)
        changed = sorted(name for name in {*there, *wanted} if there.get(name) != wanted.get(name))
        return f"{changed[0]} of the pushed version {pushed} has changed" if changed else ""


def destination_of(config: PipelineConfig, pipeline_root: str) -> Path:
    """Folder of the numbered versions that models are pushed to.

    Args:
        config: The pipeline's configuration.
        pipeline_root: The pipeline's folder, for the default.
    """
    return Path(config.pusher.destination or os.path.join(pipeline_root, "serving", config.name)).absolute()


def push(model: Path, destination: Path) -> int:
    """Copies a model to the next version; returns its number.

    The version appears by one rename, so no server sees half of it. A model that already is the newest version, because
    an attempt pushed it before it was killed, is not pushed again, unless a file of that version has changed since.
    Several pipelines may push to one destination, but not at once: it is locked meanwhile.

    Args:
        model: Folder of a SavedModel, with the file that identifies it.
        destination: Folder of the numbered versions, a server's model base path.

    Raises:
        FolderInUseError: If another process pushes or exports to the destination now.
        OSError: If the destination cannot be written.
    """
    with FolderLock(destination):
        return _push(model, destination)


def _push(model: Path, destination: Path) -> int:
    for left in destination.glob(f"{_STAGING}*"):
        shutil.rmtree(left)
    versions = versions_in(destination)
    if versions and _is_same(destination / str(versions[-1]), model):
        return versions[-1]
    version = next_version(versions, _last_version(destination), int(time.time()))
    # Servers look only at folders whose names are numbers.
    staged = destination / f"{_STAGING}{version}"
    shutil.copytree(model, staged)
    files.write_text(destination / _LAST_VERSION, str(version))
    os.rename(staged, destination / str(version))
    return version


def next_version(versions: list[int], last: int, now_s: int) -> int:
    """The number of the next version: the time, as TFX numbers them, but always higher than every number before.

    Args:
        versions: Numbers of the versions that are there.
        last: The highest number that was ever given; 0: unknown.
        now_s: The time in seconds since 1970.
    """
    return max(now_s, last + 1, max(versions, default=0) + 1)


def versions_in(destination: Path) -> list[int]:
    """Numbers of the versions, oldest first."""
    return sorted(int(path.name) for path in destination.iterdir() if path.name.isdecimal() and path.is_dir())


def _is_same(version: Path, model: Path) -> bool:
    return _identity(version) == _identity(model) and fingerprints.of_folder(version) == fingerprints.of_folder(model)


def _identity(model: Path) -> str:
    path = model / UUID_FILE
    return path.read_text(encoding="ascii").strip() if path.exists() else f"none: {model}"


def _last_version(destination: Path) -> int:
    path = destination / _LAST_VERSION
    text = path.read_text(encoding="ascii").strip() if path.exists() else ""
    return int(text) if text.isdecimal() else 0
