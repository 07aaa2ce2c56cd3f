"""The output folder: what may be there already, and the staging folder that a run works in."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from typing import IO

from biggan_tf.data import manifest as manifest_lib
from pipeline import storage
from pipeline.errors import PipelineError
from pipeline.plan import Plan
from pipeline.sources import files
from pipeline.write_shard import UNFINISHED

_STAGING = ".staging-"


@dataclasses.dataclass(frozen=True)
class Finished:
    """Resolutions that an earlier run of the same plan has finished, and what it found."""

    manifests: dict[int, manifest_lib.Manifest]


def inspect(output: str, plan: Plan) -> Finished:
    """Looks at what the output folder holds.

    Args:
        output: `--output`.
        plan: Of this run.

    Raises:
        PipelineError: If it holds anything but results of the same plan.
    """
    finished = {}
    for name in storage.entries(output):
        if name.startswith(_STAGING):
            continue
        folder = files.join(output, name)
        if not name.isdigit() or not files.exists(files.join(folder, manifest_lib.FILE_NAME)):
            raise PipelineError(
                f"--output={output} must be empty or hold results of this command; it holds {name}. "
                "Name another folder."
            )
        finished[int(name)] = _same_plan(folder, plan)
    return Finished(finished)


def _same_plan(folder: str, plan: Plan) -> manifest_lib.Manifest:
    manifest = load(folder)
    if manifest.fingerprint != plan.fingerprint:
        different = {
            key: (manifest.settings.get(key), value)
            for key, value in settings_of(plan).items()
            if manifest.settings.get(key) != value
        }
        changes = "; ".join(f"{key} was {old}, is {new}" for key, (old, new) in different.items())
        raise PipelineError(
            f"{folder} was made from other input or with other settings ({changes or 'the input has changed'}), and "
            "two runs are never mixed. Name another --output, or delete it."
        )
    sizes = dict(files.walk(folder))
    for shard in (shard for split in manifest.splits.values() for shard in split.shards):
        if sizes.get(shard.name) != shard.num_bytes:
            raise PipelineError(
                f"{folder} was finished and has been damaged since: {shard.name} must have {shard.num_bytes} bytes; "
                f"it has {sizes.get(shard.name, 'been deleted')}. Delete the folder and run again."
            )
    return manifest


def load(folder: str) -> manifest_lib.Manifest:
    """The manifest of a finished folder."""
    path = files.join(folder, manifest_lib.FILE_NAME)
    try:
        return manifest_lib.from_json(files.read_text(path), path)
    except manifest_lib.DataError as error:
        raise PipelineError(str(error)) from error


def settings_of(plan: Plan) -> dict[str, object]:
    """The settings as the manifest keeps them, through JSON so that they compare."""
    settings = dataclasses.asdict(plan.settings)
    for name in ("resolutions", "max_rejected_fraction"):  # these do not change what one resolution holds
        del settings[name]
    plain: dict[str, object] = json.loads(json.dumps(settings))
    return plain


class Staging:
    """The folder that one run works in, beside its results and invisible to all else.

    Its name carries the plan's fingerprint: the next run of the same plan goes on in it, any other plan's is removed.

    Args:
        output: `--output`.
        plan: Of this run.
    """

    def __init__(self, output: str, plan: Plan):
        self._output = output
        self.path = files.join(output, f"{_STAGING}{plan.fingerprint[:16]}")
        self._lock: IO[str] | None = None

    def __enter__(self) -> Staging:
        storage.make_folder(self.path)
        self._lock = _lock(self.path)
        for name in storage.entries(self._output):
            other = files.join(self._output, name)
            if name.startswith(_STAGING) and other != self.path:
                lock = _lock(other)
                storage.delete_tree(other)
                if lock:
                    lock.close()
        # What is combined over all shards, and the progress, begin anew; finished shards stay.
        for name in ("combined", "progress", UNFINISHED):
            storage.delete_tree(files.join(self.path, name))
        shards = files.join(self.path, "shards")
        for name, _ in list(files.walk(shards)):
            if not name.endswith(".tfrecord"):
                storage.delete(files.join(shards, name))
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock:
            self._lock.close()

    def remove(self) -> None:
        """Deletes the folder when nothing in it is needed any more."""
        storage.delete_tree(self.path)


def _lock(folder: str) -> IO[str] | None:
    """Holds a folder for this process; a killed process holds nothing. Remote stores have no locks."""
    if files.is_remote(folder):
        return None
    file = open(os.path.join(folder, "lock"), "w", encoding="utf-8")  # noqa: SIM115 - held until the run ends
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise PipelineError(
            f"Another run is writing {os.path.dirname(folder)} now. Wait for it, or stop it."
        ) from error
    return file
