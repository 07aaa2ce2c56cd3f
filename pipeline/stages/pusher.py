"""Pusher: puts a model that was blessed twice where servers look for versions."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any, ClassVar

from pipeline.orchestration.stage import Outcome, Stage, StageError, Work
from pipeline.pipeline_config import PipelineConfig
from pipeline.stages.trainer import SERVING_FOLDER, UUID_FILE

_STAGING = ".staging-"
_LAST_VERSION = ".last_version"


class Pusher(Stage):
    """A model to the next version below the destination, in one rename; and to `pushed_model`, for the records."""

    name = "Pusher"
    inputs: ClassVar = {
        "model": ("Trainer", "model"),
        "model_blessing": ("Evaluator", "blessing"),
        "infra_blessing": ("InfraValidator", "blessing"),
    }
    outputs: ClassVar = {"pushed_model": "PushedModel"}
    code = ("pipeline/stages/pusher.py",)

    def settings(self, config: PipelineConfig) -> Any:
        return {"pusher": config.pusher, "name": config.name}

    def run(self, work: Work) -> Outcome:
        config: PipelineConfig = work.config
        for key in ("model_blessing", "infra_blessing"):
            if work.inputs[key].properties.get("blessed") != 1:
                raise StageError(f"A model must be blessed twice to be pushed. Received: {key} without a blessing.")
        destination = destination_of(config, work.pipeline_root)
        version = push(work.input("model") / SERVING_FOLDER, destination)
        output = work.empty_output("pushed_model")
        pushed = os.path.join(destination, str(version))
        (output / "pushed_destination.txt").write_text(pushed + "\n", encoding="utf-8")
        properties: dict[str, Any] = {
            "pushed": 1,
            "pushed_destination": pushed,
            "pushed_version": version,
            "summary": f"version {version}",
        }
        return Outcome({"pushed_model": properties})


def destination_of(config: PipelineConfig, pipeline_root: str) -> Path:
    """The model base path that is pushed to."""
    return Path(config.pusher.destination or os.path.join(pipeline_root, "serving", config.name)).absolute()


def push(model: Path, destination: Path) -> int:
    """Copies a model to the next version; returns its number.

    A model that already is the newest version, which a killed attempt may have pushed, is not pushed again.

    Args:
        model: A SavedModel with the file that identifies it.
        destination: A server's model base path.
    """
    destination.mkdir(parents=True, exist_ok=True)
    for left in destination.glob(f"{_STAGING}*"):
        shutil.rmtree(left)
    versions = versions_in(destination)
    if versions and _identity(destination / str(versions[-1])) == _identity(model):
        return versions[-1]
    version = next_version(versions, _last_version(destination), int(time.time()))
    # No number: no server looks at it.
    staged = destination / f"{_STAGING}{version}"
    shutil.copytree(model, staged)
    _write_last_version(destination, version)
    os.rename(staged, destination / str(version))
    return version


def next_version(versions: list[int], last: int, now_s: int) -> int:
    """The time in seconds, as TFX numbers versions; more than every number given before, whatever the clock says.

    Args:
        versions: That are there.
        last: The highest that was ever given; 0: unknown.
        now_s: The clock.
    """
    return max(now_s, last + 1, max(versions, default=0) + 1)


def versions_in(destination: Path) -> list[int]:
    """Numbers of the versions, oldest first."""
    return sorted(int(path.name) for path in destination.iterdir() if path.name.isdecimal() and path.is_dir())


def _identity(model: Path) -> str:
    path = model / UUID_FILE
    return path.read_text(encoding="ascii").strip() if path.exists() else f"none: {model}"


def _last_version(destination: Path) -> int:
    path = destination / _LAST_VERSION
    text = path.read_text(encoding="ascii").strip() if path.exists() else ""
    return int(text) if text.isdecimal() else 0


def _write_last_version(destination: Path, version: int) -> None:
    beside = destination / f"{_LAST_VERSION}.new"
    beside.write_text(str(version), encoding="ascii")
    os.replace(beside, destination / _LAST_VERSION)
