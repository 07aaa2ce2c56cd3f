"""What a checkpoint is on disk, and whether it is whole. Needs no model to read.

    workdir/checkpoints/step-00001000/
        state.*                   variables (tf.train.Checkpoint)
        batches-0-of-1.*          each worker's position in the data
        run.json                  the resolved configuration, images seen, metrics: see `Record`
        files.json                size and SHA-256 of all of these; written last

The folder is written under another name and renamed, so one that bears this name was complete once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import re
from typing import Any

import tensorflow as tf

from biggan_tf.config import Config, ConfigError, from_dict

FOLDER = "checkpoints"
STATE = "state"
_RUN = "run.json"
_FILES = "files.json"
_NAME = re.compile(r"step-(\d{8,})")
_READ_BYTES = 1 << 22
_LOGGER = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or cannot be continued."""


@dataclasses.dataclass(frozen=True)
class Record:
    """What a checkpoint says about itself.

    Attributes:
        step: G steps done.
        images_seen: Real images that D saw.
        config: The resolved configuration, as `config.to_dict` gives it: `model.policy` is never "auto" in it.
        num_workers: Processes that read data.
        label_names: Of the data; empty: unknown.
        data_fingerprint: Of the data.
        metrics: The latest of the evaluation, by name.
        asked_policy: `model.policy` as it was asked for, e.g. "auto"; empty in records of version 0.1.
    """

    step: int
    images_seen: int
    config: dict[str, Any]
    num_workers: int = 1
    label_names: tuple[str, ...] = ()
    data_fingerprint: str = ""
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    asked_policy: str = ""

    def resolved_config(self) -> Config:
        """The configuration as dataclasses."""
        return from_dict(Config, self.config)


def folder_of(workdir: str, step: int) -> str:
    """The checkpoint's folder."""
    return os.path.join(workdir, FOLDER, f"step-{step:08d}")


def batches_name(worker: int, num_workers: int) -> str:
    """File prefix of one worker's position in the data."""
    return f"batches-{worker}-of-{num_workers}"


def list_steps(workdir: str) -> list[int]:
    """Steps of the checkpoints there are, oldest first; their content is not looked at."""
    folder = os.path.join(workdir, FOLDER)
    if not tf.io.gfile.exists(folder):
        return []
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def write_record(folder: str, record: Record) -> None:
    """Adds run.json, then files.json, which makes the folder a checkpoint."""
    _write_json(os.path.join(folder, _RUN), dataclasses.asdict(record))
    names = sorted(name for name in tf.io.gfile.listdir(folder) if name != _FILES)
    sizes = {name: _describe(os.path.join(folder, name)) for name in names}
    _write_json(os.path.join(folder, _FILES), sizes)


def read_record(folder: str) -> Record:
    """The record of a checkpoint.

    Raises:
        CheckpointError: If it cannot be read.
    """
    path = os.path.join(folder, _RUN)
    try:
        values = _read_json(path)
        values["label_names"] = tuple(values["label_names"])
        record = Record(**values)
        record.resolved_config()
    except (tf.errors.OpError, json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError, ConfigError) as error:
        raise CheckpointError(f"{path} must hold a checkpoint's record. Received: {error}") from error
    return record


def damage(folder: str) -> str | None:
    """What is wrong with a checkpoint's files, naming the first that is; None when all are as they were written."""
    try:
        promised = _read_json(os.path.join(folder, _FILES))
    except (tf.errors.OpError, json.JSONDecodeError, UnicodeDecodeError) as error:
        return f"{_FILES} cannot be read ({type(error).__name__})"
    if not isinstance(promised, dict) or _RUN not in promised:
        return f"{_FILES} does not list {_RUN}"
    for name, expected in promised.items():
        path = os.path.join(folder, name)
        if not tf.io.gfile.exists(path):
            return f"{name} is missing"
        found = tf.io.gfile.stat(path).length
        if found != expected["bytes"]:
            return f"{name} has {found} bytes instead of {expected['bytes']}"
        if _describe(path) != expected:
            return f"the content of {name} has changed since it was written"
    return None


def newest_whole(workdir: str, step: int | None = None) -> str | None:
    """Folder of the newest checkpoint that is not damaged; damaged ones are named in the log.

    Args:
        workdir: Of the run.
        step: Take this one and no other.

    Returns:
        None if there is no checkpoint at all.

    Raises:
        CheckpointError: If the one that was asked for is missing or damaged, or all are damaged.
    """
    steps = list_steps(workdir)
    if step is not None:
        if step not in steps:
            raise CheckpointError(f"step must be one of the checkpoints in {workdir}: {steps}. Received: {step}")
        steps = [step]
    problems = []
    for candidate in reversed(steps):
        folder = folder_of(workdir, candidate)
        problem = damage(folder)
        if problem is None:
            return folder
        problems.append(f"{folder}: {problem}")
        _LOGGER.warning("Damaged checkpoint %s", problems[-1])
    if problems:
        raise CheckpointError(
            f"At least one checkpoint in {workdir} must be whole. Received:\n  - " + "\n  - ".join(problems) + "\n"
            "Restore the files from a backup, or move the folder away to begin anew."
        )
    return None


def _describe(path: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    size = 0
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _write_json(path: str, values: Any) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(values, indent=1, sort_keys=True) + "\n")


def _read_json(path: str) -> Any:
    with tf.io.gfile.GFile(path) as file:
        return json.loads(file.read())
