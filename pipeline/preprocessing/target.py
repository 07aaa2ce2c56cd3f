"""Checks what the output folder holds already, and makes the staging folder that a run works in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from biggan_tf.data import manifest as manifest_lib
from biggan_tf.folder_lock import FolderInUseError, FolderLock
from pipeline.errors import PipelineError
from pipeline.preprocessing import storage
from pipeline.preprocessing.combining import COMBINED
from pipeline.preprocessing.plan import Plan
from pipeline.preprocessing.settings import STORED
from pipeline.preprocessing.write_shard import UNFINISHED
from pipeline.sources import beam_files

_STAGING = ".staging-"


def inspect(output: str, plan: Plan) -> dict[int, manifest_lib.Manifest]:
    """Reads the manifests of the resolutions that earlier runs of the same plan have finished, by resolution.

    Args:
        output: The output folder, `--output`; it may be missing.
        plan: The plan of this run.

    Raises:
        PipelineError: If it holds anything but undamaged results of the same plan.
    """
    finished = {}
    for name in storage.entries(output):
        if name.startswith(_STAGING):
            continue
        folder = beam_files.join(output, name)
        if not name.isdigit() or not beam_files.exists(beam_files.join(folder, manifest_lib.FILE_NAME)):
            raise PipelineError(
                f"--output={output} must be empty or hold results of this command; it holds {name}. "
                "Name another folder."
            )
        finished[int(name)] = _same_plan(folder, plan)
    return finished


def _same_plan(folder: str, plan: Plan) -> manifest_lib.Manifest:
    manifest = load(folder)
    if manifest.fingerprint != plan.fingerprint:
        changes = "; ".join(_changes(manifest, plan))
        if not changes:
            changes = "the input, the schema, or the version of Pillow or of a crop has changed"
        raise PipelineError(
            f"{folder} was made from other input or with other settings ({changes}), and two runs are never mixed. "
            "Name another --output, or delete it."
        )
    sizes = dict(beam_files.walk(folder))
    for shard in (shard for split in manifest.splits.values() for shard in split.shards):
        if sizes.get(shard.name) != shard.num_bytes:
            raise PipelineError(
                f"{folder} was finished and has been damaged since: {shard.name} must have {shard.num_bytes} bytes; "
                f"it has {sizes.get(shard.name, 'been deleted')}. Delete the folder and run again."
            )
    return manifest


def _changes(manifest: manifest_lib.Manifest, plan: Plan) -> Iterator[str]:
    """What a manifest and a plan show of their difference, a clause each."""
    for key, value in settings_of(plan).items():
        if manifest.settings.get(key) != value:
            yield f"{key} was {manifest.settings.get(key)}, is {value}"
    if len(manifest.label_names) != len(plan.label_names):
        yield f"the number of classes was {len(manifest.label_names)}, is {len(plan.label_names)}"
    for split in sorted({*manifest.splits, *plan.num_shards}):
        before = len(manifest.splits[split].shards) if split in manifest.splits else 0
        count = plan.num_shards.get(split, 0)
        if before != count:
            is_chosen = before and count and not plan.settings.num_shards
            why = ": the number of images and the largest of --resolutions decide it unless --num_shards is given"
            yield f"the number of shards of {split} was {before}, is {count}{why if is_chosen else ''}"


def load(folder: str) -> manifest_lib.Manifest:
    """Reads the manifest of a finished folder.

    Args:
        folder: The folder of one resolution.

    Raises:
        PipelineError: If the manifest is damaged.
    """
    path = beam_files.join(folder, manifest_lib.FILE_NAME)
    try:
        return manifest_lib.from_json(beam_files.read_text(path), path)
    except manifest_lib.DataError as error:
        raise PipelineError(str(error)) from error


def settings_of(plan: Plan) -> dict[str, object]:
    """The settings that the manifest keeps, by name."""
    return {name: getattr(plan.settings, name) for name in STORED}


class Staging:
    """A context manager for the hidden folder in the output folder that one run works in.

    Its name holds the plan's fingerprint: the next run of the same plan continues in it, and the staging folders of
    other plans are removed. On local disk it is locked, so that two runs cannot work in it at once.

    Args:
        output: The output folder, `--output`.
        plan: The plan of this run.

    Attributes:
        path: Path of the staging folder.

    Raises:
        PipelineError: On entering, if another run works in the output folder.
    """

    def __init__(self, output: str, plan: Plan):
        self._output = output
        self.path = beam_files.join(output, f"{_STAGING}{plan.fingerprint[:16]}")
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Staging:
        storage.make_folder(self.path)
        self._held.enter_context(_locked(self._output, self.path))
        for name in storage.entries(self._output):
            other = beam_files.join(self._output, name)
            if name.startswith(_STAGING) and other != self.path:
                with _locked(self._output, other):
                    storage.delete_tree(other)
        # Finished shards stay. What is combined over all shards, and the progress, are written again.
        for name in (COMBINED, "progress", UNFINISHED):
            storage.delete_tree(beam_files.join(self.path, name))
        shards = beam_files.join(self.path, "shards")
        for name, _ in list(beam_files.walk(shards)):
            if not name.endswith(".tfrecord"):
                storage.delete(beam_files.join(shards, name))
        return self

    def __exit__(self, *unused: object) -> None:
        self._held.close()

    def remove(self) -> None:
        """Deletes the folder, once the results are published."""
        storage.delete_tree(self.path)


def remove_leftovers(output: str, finished: Iterable[int]) -> None:
    """Deletes the staging folders of runs that were ended after they had published everything.

    A folder stays that another run works in, or that has shards of a resolution which is not finished: a run that asks
    for that resolution goes on from them.

    Args:
        output: The output folder, `--output`.
        finished: The resolutions that are finished.
    """
    done = {str(size) for size in finished}
    for name in storage.entries(output):
        folder = beam_files.join(output, name)
        if name.startswith(_STAGING) and set(storage.entries(beam_files.join(folder, "shards"))) <= done:
            with contextlib.suppress(PipelineError), _locked(output, folder):
                storage.delete_tree(folder)


@contextlib.contextmanager
def _locked(output: str, folder: str) -> Iterator[None]:
    """Holds the lock of a staging folder. Remote stores have no locks."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FolderLock(folder, name="lock"))
        except FolderInUseError as error:
            raise PipelineError(f"Another run is writing {output} now. {error}") from error
        yield
