"""The files of a checkpoint, its summary, and how damage is noticed. None of this needs a model.

    workdir/checkpoints/step-00001000/
        state.*                   the variables, as `tf.train.Checkpoint` writes them
        batches-0-of-1.*          how many batches each worker has read
        run.json                  the `CheckpointSummary`: the configuration, the images seen, the metrics, the meters
        files.json                size and SHA-256 of all of these; written last

A checkpoint is written into a folder of another name, which is renamed when it is complete. A folder of the name above
therefore was complete once, and only damage to the disk or a person can have changed it.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import re
from collections.abc import Callable
from typing import Any

from biggan_tf import files
from biggan_tf.config import Config, ConfigError, from_dict

FOLDER = "checkpoints"
STATE = "state"
_RUN = "run.json"
LIST = "files.json"
_NAME = re.compile(r"step-(\d{8,})")
FAREWELL = "left-by-worker-"  # begins the names of the files by which workers tell one another that they may end
_MAX_JSON_BYTES = 64 << 20  # the names of a million classes; what is larger is not read into memory
_LOGGER = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """Is raised when a checkpoint is missing or damaged, or when a run cannot go on from it."""


@dataclasses.dataclass(frozen=True)
class CheckpointSummary:
    """What a checkpoint says about itself in run.json.

    Attributes:
        step: How many steps of the game were done.
        images_seen: How many real images the discriminator has seen.
        config: The configuration of the run, as `config.to_dict` gives it. Its `model.policy` is what the run computes
            in, never "auto".
        num_workers: How many processes read the data.
        label_names: The names of the classes, by label; empty if they are not known.
        data_fingerprint: The fingerprint in the manifest of the data; "" if it is not known.
        metrics: The numbers of the latest evaluation by name, the deciding metric first; empty before the first one.
            Earlier versions wrote them sorted by name.
        asked_policy: `model.policy` as the configuration asked for it, e.g. "auto"; "" in checkpoints of version 0.1.
        meters: What `training.meters.Meters` has collected since the last line of metrics.jsonl, so that the next line
            is about the same steps as without the stop; empty right after a line, and in checkpoints of version 0.1.
        training_seconds: How long the steps have taken in all, see `training.training_clock.TrainingClock`; 0 in
            checkpoints of versions that did not measure it.
        owes_evaluation: Whether an evaluation was due at this step and could not be computed; whoever goes on from here
            computes it first.
    """

    step: int
    images_seen: int
    config: dict[str, Any]
    num_workers: int = 1
    label_names: tuple[str, ...] = ()
    data_fingerprint: str = ""
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    asked_policy: str = ""
    meters: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    training_seconds: float = 0.0
    owes_evaluation: bool = False

    def resolved_config(self) -> Config:
        """The configuration as dataclasses."""
        return from_dict(Config, self.config)


def folder_of(workdir: str, step: int) -> str:
    """The folder of the checkpoint that a run wrote after a number of steps."""
    return files.join(workdir, FOLDER, f"step-{step:08d}")


def batches_name(worker: int, num_workers: int) -> str:
    """What the names of the files begin with in which one of the workers stores how much it has read."""
    return f"batches-{worker}-of-{num_workers}"


def list_steps(workdir: str) -> list[int]:
    """The steps of all checkpoints of a run in ascending order, damaged ones included: only names are read."""
    folder = files.join(workdir, FOLDER)
    return sorted(int(match[1]) for name in files.list_folder(folder) if (match := _NAME.fullmatch(name)))


def write_summary(folder: str, summary: CheckpointSummary) -> None:
    """Writes run.json, and then files.json, which covers all files of the folder and completes the checkpoint."""
    files.write_json(files.join(folder, _RUN), dataclasses.asdict(summary))  # not sorted: the first metric decides
    names = [name for name in files.list_folder(folder) if name != LIST]
    sizes = {name: _describe(files.join(folder, name)) for name in names}
    files.write_json(files.join(folder, LIST), sizes, sort_keys=True)


def read_summary(folder: str) -> CheckpointSummary:
    """Reads run.json of a checkpoint.

    Raises:
        CheckpointError: If there is no such file, or it does not hold a summary with a known configuration.
    """
    path = files.join(folder, _RUN)
    values = _read_object(path)
    missing = [name for name in ("step", "images_seen", "config", "label_names") if name not in values]
    wrong = [name for name, value in values.items() if name not in _IS_SOUND or not _IS_SOUND[name](value)]
    if missing or wrong:
        raise CheckpointError(
            f"{path} must hold the summary of a checkpoint. Received: missing fields: {missing or 'none'}; fields that "
            f"are unknown or have another type: {[name[:100] for name in wrong[:8]] or 'none'}"
        )
    summary = CheckpointSummary(**{**values, "label_names": tuple(values["label_names"])})
    try:
        summary.resolved_config().problems()  # only whether it can be checked: values of another type raise
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RecursionError, ConfigError) as error:
        raise CheckpointError(f"{path} must hold the summary of a checkpoint. Received: {error}") from error
    return summary


def damage(folder: str) -> str | None:
    """Compares the files of a checkpoint with files.json, and reads its summary.

    Returns:
        What is wrong with the first file that is missing, changed or not what it should be, as a clause; None if all
        are as they were written.
    """
    try:
        promised = _read_object(files.join(folder, LIST))
    except CheckpointError as error:
        return f"{LIST} cannot be read ({error.__cause__ or error})"
    there = set(files.list_folder(folder))
    for name, expected in promised.items():
        if not isinstance(expected, dict) or set(expected) != {"bytes", "sha256"}:
            return f"{LIST} does not say how many bytes and which SHA-256 {name[:100]!r} has"
        if name not in there:  # a name with a slash leads out of the folder, and is in no listing
            return f"{name[:100]} is missing"
        path = files.join(folder, name)
        size = files.size(path)
        if size != expected["bytes"]:
            return f"{name} has {size} bytes instead of {str(expected['bytes'])[:40]}"
        if _describe(path) != expected:
            return f"the content of {name} has changed since it was written"
    unlisted = [name for name in (_RUN, f"{STATE}.index") if name not in promised]
    if unlisted:
        return f"{LIST} does not list {unlisted[0]}"
    try:
        read_summary(folder)
    except CheckpointError as error:
        return str(error)
    return None


def newest_whole(workdir: str, step: int | None = None) -> str | None:
    """Finds the newest checkpoint of a run that is not damaged. Damaged ones that are newer are named in the log.

    Args:
        workdir: The folder of the run.
        step: Look at the checkpoint of this step only; None: look at all of them.

    Returns:
        The folder of the checkpoint; None if the run has no checkpoint at all.

    Raises:
        CheckpointError: If the checkpoint of `step` is missing or damaged, or if all checkpoints are damaged.
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
    return {"bytes": files.size(path), "sha256": files.sha256(path)}


def _read_object(path: str) -> dict[str, Any]:
    """The object in a JSON file of a checkpoint.

    Raises:
        CheckpointError: If the file is missing or too large, or holds something else.
        OSError: If the file is there and cannot be read: a fault of the disk must not pass for a damaged checkpoint.
    """
    try:
        size = files.size(path)
        if size > _MAX_JSON_BYTES:
            raise CheckpointError(f"{path} must have at most {_MAX_JSON_BYTES} bytes. Received: {size}")
        values = files.read_json(path)
    # A file that is not UTF-8 or not JSON, and integers of more digits than Python reads, are ValueErrors.
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} must hold a JSON object. Received: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} must hold a JSON object. Received: a {type(values).__name__}")
    return values


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_meters(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(numbers, list) and len(numbers) == 3 and all(map(_is_number, numbers)) for numbers in value.values()
    )


# Whether a field of run.json can be what `CheckpointSummary` says of it.
_IS_SOUND: dict[str, Callable[[Any], bool]] = {
    "step": _is_count,
    "images_seen": _is_count,
    "config": lambda value: isinstance(value, dict),
    "num_workers": lambda value: _is_count(value) and value > 0,
    "label_names": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "data_fingerprint": _is_text,
    "metrics": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "asked_policy": _is_text,
    "meters": _is_meters,
    "training_seconds": lambda value: _is_number(value) and 0 <= value < math.inf,
    "owes_evaluation": lambda value: isinstance(value, bool),
}
