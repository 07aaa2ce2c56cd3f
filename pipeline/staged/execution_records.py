"""What each execution leaves on record next to its artifacts, and how metadata.sqlite is made again from that.

    ROOT/STAGE/.executions/EXECUTION.json     the execution with its inputs and, when it is complete, its outputs

The SQLite file is one file for all, which a crash of the machine, a full disk or a person can destroy. The records are
small files of their own, each of which appears whole or not at all. When the SQLite file lacks an execution that has a
record, the record is taken over; when it is damaged, it is put aside and written again from all of them.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import re
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biggan_tf import files
from pipeline.staged.metadata import Artifact, EventType, Execution, ExecutionState, MetadataStore, Properties
from pipeline.staged.stage import StageError

STORE = "metadata.sqlite"
WORK = Path(".system", "executor_execution")
_FOLDER = ".executions"
# Codes that do not mean that the file is damaged: it is locked, or the disk, permissions or memory are at fault.
_SURROUNDINGS = (
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_AUTH,
)  # fmt: skip
# Those of them that the disk causes, with the system's number for the same fault.
_OF_THE_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ExecutionRecord:
    """An execution with what it read and wrote.

    Attributes:
        execution: The execution; a record knows of the states RUNNING and COMPLETE alone.
        inputs: The artifacts that it read, by key.
        outputs: The artifacts that it wrote, by key; empty while it runs.
        files: SHA-256 of each file of an output, by the output's key and the file's name.
    """

    execution: Execution
    inputs: Mapping[str, Artifact]
    outputs: Mapping[str, Artifact] = dataclasses.field(default_factory=dict)
    files: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)


def write(root: Path, record: ExecutionRecord) -> None:
    """Writes the record of an execution; an older one is replaced."""
    files.write_json(_path(root, record.execution.type, record.execution.id), dataclasses.asdict(record))


def read(root: Path, stage: str, number: int) -> ExecutionRecord | None:
    """The record of an execution; None if there is none, or if it is damaged, which the log tells."""
    path = _path(root, stage, number)
    if not path.exists():
        return None
    try:
        record = _parsed(files.read_json(path))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        _LOGGER.warning("%s is damaged and does not count: %s", path, str(error)[:200])
        return None
    if (record.execution.type, record.execution.id) != (stage, number):
        _LOGGER.warning("%s does not count: it is about another execution", path)
        return None
    return record


def open_store(root: Path) -> MetadataStore:
    """Opens the records of a pipeline, which are made again where they are damaged or lack something.

    Args:
        root: The pipeline's folder, which the caller has locked.

    Raises:
        StageError: If the SQLite file cannot be opened, because another program has locked it for instance.
        OSError: If the disk is full or read-only, or has an error.
    """
    path = root / STORE
    try:
        store = _open(path)
    except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
        if failure := disk_failure(error, path):
            raise failure from error
        if _code(error) in _SURROUNDINGS:
            raise StageError(
                f"{path} must be readable and writable, and no other program may lock it. Received: {error}. Close the "
                "program that has it open (fuser names it), or make room on the disk; then run the same command again."
            ) from error
        aside = _put_aside(path)
        _LOGGER.warning("%s was damaged (%s). It is kept as %s and made again from the records.", path, error, aside)
        store = _open(path)
    try:
        _complete(root, store)
    except BaseException:
        store.close()
        raise
    return store


def disk_failure(error: Exception, path: Path) -> OSError | None:
    """An error of SQLite as one of the disk, if it is one.

    Args:
        error: The error.
        path: The SQLite file.
    """
    number = _OF_THE_DISK.get(_code(error))
    return None if number is None else OSError(number, f"{os.strerror(number)} ({error})", os.fspath(path))


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF  # what is above it tells more than is needed


def _open(path: Path) -> MetadataStore:
    store = MetadataStore(path)
    try:
        store.check()
    except BaseException:
        store.close()
        raise
    return store


def _put_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}")
    os.replace(path, aside)
    for suffix in ("-journal", "-wal", "-shm"):  # of the damaged file; SQLite would apply them to the new one
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            os.replace(beside, aside.with_name(aside.name + suffix))
    return aside


def _complete(root: Path, store: MetadataStore) -> None:
    """Takes over what is on record and not in the store, and keeps new numbers away from those on the disk."""
    known = {execution.id: execution for execution in store.executions()}
    with_outputs = {event.execution_id for event in store.events() if event.type == EventType.OUTPUT}
    artifacts = {artifact.id: artifact for artifact in store.artifacts()}
    taken = 0
    for stage, number in _recorded(root):
        if number in known and (known[number].state != ExecutionState.COMPLETE or number in with_outputs):
            continue
        record = read(root, stage, number)
        if record is not None and _fits(record, known, artifacts):
            with store.transaction():
                _take_over(store, record, number in known, artifacts)
            taken += 1
    if taken:
        _LOGGER.warning("%s lacked %d executions, which were taken over from their records", root / STORE, taken)
    store.keep_above(_highest_folder(root))
    _record_older_ones(root, store)


def _fits(record: ExecutionRecord, known: Mapping[int, Execution], artifacts: Mapping[int, Artifact]) -> bool:
    """Whether the numbers of a record's execution and artifacts mean the same in the store, or nothing."""
    own = known.get(record.execution.id, record.execution)
    fingerprints = {execution.properties.get("fingerprint") for execution in (own, record.execution)}
    return (
        own.type == record.execution.type
        and len(fingerprints) == 1
        and all(
            artifacts[artifact.id].uri == artifact.uri
            for artifact in (*record.inputs.values(), *record.outputs.values())
            if artifact.id in artifacts
        )
    )


def _take_over(store: MetadataStore, record: ExecutionRecord, is_known: bool, artifacts: dict[int, Artifact]) -> None:
    if not is_known:
        store.restore_execution(record.execution)
    for kind, group in ((EventType.INPUT, record.inputs), (EventType.OUTPUT, record.outputs)):
        for key, artifact in group.items():
            if artifact.id not in artifacts:
                store.restore_artifact(artifact)
                artifacts[artifact.id] = artifact
            store.add_event(artifact.id, record.execution.id, kind, key)


def _record_older_ones(root: Path, store: MetadataStore) -> None:
    """Writes the records of executions from before there were any."""
    events = store.events()
    artifacts = {artifact.id: artifact for artifact in store.artifacts()}
    for execution in store.executions():
        if execution.state != ExecutionState.COMPLETE or _path(root, execution.type, execution.id).exists():
            continue
        own = [event for event in events if event.execution_id == execution.id]
        inputs = {event.key: artifacts[event.artifact_id] for event in own if event.type == EventType.INPUT}
        outputs = {event.key: artifacts[event.artifact_id] for event in own if event.type == EventType.OUTPUT}
        if any(os.path.exists(artifact.uri) for artifact in outputs.values()):
            write(root, ExecutionRecord(execution, inputs, outputs))


def _recorded(root: Path) -> list[tuple[str, int]]:
    found = [path for path in root.glob(f"*/{_FOLDER}/*.json") if _NUMBER.fullmatch(path.stem)]
    return sorted(((path.parent.parent.name, int(path.stem)) for path in found), key=lambda entry: entry[1])


def _highest_folder(root: Path) -> int:
    """The highest number that an artifact, a record or an unfinished execution has on the disk."""
    paths = [*root.glob("*/*/*"), *root.glob(str(WORK / "*")), *root.glob(f"*/{_FOLDER}/*.json")]
    serving = root / "serving"  # its numbers are those of pushed versions
    numbers = [path.name.removesuffix(".json") for path in paths if not path.is_relative_to(serving)]
    return max((int(number) for number in numbers if _NUMBER.fullmatch(number)), default=0)


def _path(root: Path, stage: str, number: int) -> Path:
    return root / stage / _FOLDER / f"{number}.json"


def _parsed(values: Any) -> ExecutionRecord:
    execution = values["execution"]
    state = ExecutionState(execution["state"])
    if state not in (ExecutionState.RUNNING, ExecutionState.COMPLETE):
        raise ValueError(f"a record's state must be RUNNING or COMPLETE. Received: {state.name}")
    parsed = Execution(
        _integer(execution["id"]),
        _text(execution["type"]),
        state,
        _properties(execution["properties"]),
        _integer(execution["created_ms"]),
        _integer(execution["updated_ms"]),
    )
    hashes = {
        _text(key): {_text(name): _text(digest) for name, digest in group.items()}
        for key, group in values["files"].items()
    }
    return ExecutionRecord(parsed, _artifacts(values["inputs"]), _artifacts(values["outputs"]), hashes)


def _artifacts(values: Any) -> dict[str, Artifact]:
    return {
        _text(key): Artifact(
            _integer(artifact["id"]),
            _text(artifact["type"]),
            _text(artifact["uri"]),
            _properties(artifact["properties"]),
            _integer(artifact["created_ms"]),
        )
        for key, artifact in values.items()
    }


def _properties(values: Any) -> Properties:
    wrong = [name for name, value in values.items() if type(value) not in (int, float, str)]
    if wrong:
        raise ValueError(f"a property must be a number or a text. Received: {wrong[0]!r} is neither")
    return dict(values)


def _integer(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"a number must be a whole one from 0. Received: {str(value)[:40]!r}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a name must be a text. Received: {str(value)[:40]!r}")
    value.encode()  # a half of a surrogate pair cannot be stored
    return value
