"""The records of what was run and what it read and wrote: an SQLite file with the tables of ML Metadata (MLMD).

MLMD itself is a C++ wheel that needs a newer glibc than many clusters have. The tables have its names, and its numbers
for states and events, so that queries written for MLMD can be used.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import math
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping

Value = int | float | str
Properties = dict[str, Value]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS Type (id INTEGER PRIMARY KEY, name TEXT NOT NULL, type_kind INT NOT NULL,
    UNIQUE (name, type_kind));
CREATE TABLE IF NOT EXISTS Artifact (id INTEGER PRIMARY KEY, type_id INT NOT NULL REFERENCES Type, uri TEXT NOT NULL,
    state INT NOT NULL, create_time_since_epoch INT NOT NULL, last_update_time_since_epoch INT NOT NULL);
CREATE TABLE IF NOT EXISTS Execution (id INTEGER PRIMARY KEY, type_id INT NOT NULL REFERENCES Type,
    last_known_state INT NOT NULL, create_time_since_epoch INT NOT NULL, last_update_time_since_epoch INT NOT NULL);
CREATE TABLE IF NOT EXISTS Context (id INTEGER PRIMARY KEY, type_id INT NOT NULL REFERENCES Type, name TEXT NOT NULL,
    create_time_since_epoch INT NOT NULL, UNIQUE (type_id, name));
CREATE TABLE IF NOT EXISTS ArtifactProperty (artifact_id INT NOT NULL REFERENCES Artifact, name TEXT NOT NULL,
    int_value INT, double_value REAL, string_value TEXT, PRIMARY KEY (artifact_id, name));
CREATE TABLE IF NOT EXISTS ExecutionProperty (execution_id INT NOT NULL REFERENCES Execution, name TEXT NOT NULL,
    int_value INT, double_value REAL, string_value TEXT, PRIMARY KEY (execution_id, name));
CREATE TABLE IF NOT EXISTS Event (id INTEGER PRIMARY KEY, artifact_id INT NOT NULL REFERENCES Artifact,
    execution_id INT NOT NULL REFERENCES Execution, type INT NOT NULL, milliseconds_since_epoch INT NOT NULL,
    UNIQUE (artifact_id, execution_id, type));
CREATE TABLE IF NOT EXISTS EventPath (event_id INT NOT NULL REFERENCES Event, is_index_step INT NOT NULL,
    step_index INT, step_key TEXT);
CREATE TABLE IF NOT EXISTS Association (context_id INT NOT NULL REFERENCES Context,
    execution_id INT NOT NULL REFERENCES Execution, UNIQUE (context_id, execution_id));
CREATE TABLE IF NOT EXISTS Attribution (context_id INT NOT NULL REFERENCES Context,
    artifact_id INT NOT NULL REFERENCES Artifact, UNIQUE (context_id, artifact_id));
"""
_LOCK_TIMEOUT_S = 10.0
_EXECUTION_KIND, _ARTIFACT_KIND, _CONTEXT_KIND = 0, 1, 2


class ExecutionState(enum.IntEnum):
    """The state of an execution, with MLMD's numbers."""

    NEW = 1
    RUNNING = 2
    COMPLETE = 3
    FAILED = 4
    CACHED = 5
    CANCELED = 6


class EventType(enum.IntEnum):
    """How an execution touched an artifact, with MLMD's numbers."""

    INPUT = 3
    OUTPUT = 4


LIVE = 2  # the state of an artifact that exists, with MLMD's number


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A folder that a stage wrote, or an input from outside.

    Attributes:
        id: Number of the artifact.
        type: Its type, e.g. "Examples".
        uri: Where it lies.
        properties: What the records keep of it, its fingerprint among it.
        created_ms: When it was recorded, in milliseconds since 1970.
    """

    id: int
    type: str
    uri: str
    properties: Properties
    created_ms: int = 0

    @property
    def fingerprint(self) -> str:
        return str(self.properties.get("fingerprint", ""))


@dataclasses.dataclass(frozen=True)
class Execution:
    """One run of one stage; or, in the state CACHED, the note that an earlier run's outputs were used.

    Attributes:
        id: Number of the execution.
        type: Name of the stage.
        state: Its state.
        properties: What the records keep of it: fingerprint, settings, versions, error, ...
        created_ms: When it was recorded, in milliseconds since 1970.
        updated_ms: When it was changed last.
    """

    id: int
    type: str
    state: ExecutionState
    properties: Properties
    created_ms: int = 0
    updated_ms: int = 0


@dataclasses.dataclass(frozen=True)
class Event:
    """The note that an execution read or wrote an artifact.

    Attributes:
        artifact_id: Number of the artifact.
        execution_id: Number of the execution.
        type: Whether it was read or written.
        key: What the stage calls this input or output.
    """

    artifact_id: int
    execution_id: int
    type: EventType
    key: str


class MetadataStore:
    """The records. A change is on disk when the call, or the transaction around it, ends.

    Args:
        path: Path of the SQLite file; it is made if it is not there.

    Raises:
        sqlite3.Error: If it cannot be opened, or is no SQLite file.
    """

    def __init__(self, path: str | os.PathLike):
        self._floor = 0
        self._database = sqlite3.connect(path, isolation_level=None, timeout=_LOCK_TIMEOUT_S)
        try:
            self._database.executescript(_SCHEMA)
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> MetadataStore:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def check(self) -> None:
        """Raises sqlite3.DatabaseError or ValueError if the file is damaged, as far as SQLite and the tables tell."""
        (verdict,) = self._database.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        numbers = {execution.id for execution in self.executions()}
        artifacts = {artifact.id for artifact in self.artifacts()}
        for event in self.events():
            if event.execution_id not in numbers or event.artifact_id not in artifacts:
                raise ValueError(f"an event must be about what is on record. Received: {event}")

    def keep_above(self, number: int) -> None:
        """Gives new executions numbers above this one: there may be folders of executions that are not on record."""
        self._floor = max(self._floor, number)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes the changes of the block all at once, or none of them if it raises."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # After an error of the disk SQLite has rolled back by itself, and there is nothing to roll back.
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    def add_artifact(self, type_name: str, uri: str, properties: Mapping[str, Value]) -> Artifact:
        """Records an artifact that exists; returns it with its number."""
        now = _now_ms()
        cursor = self._database.execute(
            "INSERT INTO Artifact VALUES (NULL, ?, ?, ?, ?, ?)",
            (self._type(type_name, _ARTIFACT_KIND), uri, LIVE, now, now),
        )
        self._set_properties("Artifact", _row_id(cursor), properties)
        return Artifact(_row_id(cursor), type_name, uri, dict(properties), now)

    def add_execution(self, type_name: str, state: ExecutionState, properties: Mapping[str, Value]) -> Execution:
        """Records an execution; returns it with its number."""
        now = _now_ms()
        cursor = self._database.execute(
            "INSERT INTO Execution VALUES (max((SELECT coalesce(max(id), 0) FROM Execution), ?) + 1, ?, ?, ?, ?)",
            (self._floor, self._type(type_name, _EXECUTION_KIND), int(state), now, now),
        )
        self._set_properties("Execution", _row_id(cursor), properties)
        return Execution(_row_id(cursor), type_name, state, dict(properties), now, now)

    def restore_artifact(self, artifact: Artifact) -> None:
        """Records an artifact under the number that it had."""
        self._database.execute(
            "INSERT INTO Artifact VALUES (?, ?, ?, ?, ?, ?)",
            (artifact.id, self._type(artifact.type, _ARTIFACT_KIND), artifact.uri, LIVE, *[artifact.created_ms] * 2),
        )
        self._set_properties("Artifact", artifact.id, artifact.properties)

    def restore_execution(self, execution: Execution) -> None:
        """Records an execution under the number that it had."""
        kind = self._type(execution.type, _EXECUTION_KIND)
        self._database.execute(
            "INSERT INTO Execution VALUES (?, ?, ?, ?, ?)",
            (execution.id, kind, int(execution.state), execution.created_ms, execution.updated_ms),
        )
        self._set_properties("Execution", execution.id, execution.properties)

    def set_artifact_properties(self, artifact_id: int, properties: Mapping[str, Value]) -> None:
        """Adds properties to an artifact, or changes them."""
        self._set_properties("Artifact", artifact_id, properties)

    def update_execution(self, execution_id: int, state: ExecutionState, properties: Mapping[str, Value]) -> None:
        """Changes the state of an execution and adds properties."""
        self._database.execute(
            "UPDATE Execution SET last_known_state = ?, last_update_time_since_epoch = ? WHERE id = ?",
            (int(state), _now_ms(), execution_id),
        )
        self._set_properties("Execution", execution_id, properties)

    def add_context(self, type_name: str, name: str) -> int:
        """The number of a context, which is recorded if it is new."""
        type_id = self._type(type_name, _CONTEXT_KIND)
        self._database.execute("INSERT OR IGNORE INTO Context VALUES (NULL, ?, ?, ?)", (type_id, name, _now_ms()))
        row = self._database.execute("SELECT id FROM Context WHERE type_id = ? AND name = ?", (type_id, name))
        return int(row.fetchone()[0])

    def contexts(self, type_name: str) -> list[tuple[int, str]]:
        """(id, name) of the contexts of a type, oldest first."""
        query = "SELECT c.id, c.name FROM Context c JOIN Type t ON t.id = c.type_id WHERE t.name = ? ORDER BY c.id"
        return list(self._database.execute(query, (type_name,)))

    def associate(self, context_id: int, execution_id: int) -> None:
        """Puts an execution into a context."""
        self._database.execute("INSERT OR IGNORE INTO Association VALUES (?, ?)", (context_id, execution_id))

    def associated(self, context_id: int) -> set[int]:
        """Ids of the executions in a context."""
        query = "SELECT execution_id FROM Association WHERE context_id = ?"
        return {row[0] for row in self._database.execute(query, (context_id,))}

    def attribute(self, context_id: int, artifact_id: int) -> None:
        """Puts an artifact into a context."""
        self._database.execute("INSERT OR IGNORE INTO Attribution VALUES (?, ?)", (context_id, artifact_id))

    def add_event(self, artifact_id: int, execution_id: int, kind: EventType, key: str) -> None:
        """Records that an execution read or wrote an artifact; nothing happens if that is recorded already."""
        cursor = self._database.execute(
            "INSERT OR IGNORE INTO Event VALUES (NULL, ?, ?, ?, ?)", (artifact_id, execution_id, int(kind), _now_ms())
        )
        if cursor.rowcount:
            self._database.execute("INSERT INTO EventPath VALUES (?, 0, NULL, ?)", (cursor.lastrowid, key))

    def artifacts(self, type_name: str | None = None, context_id: int | None = None) -> list[Artifact]:
        """Artifacts, oldest first.

        Args:
            type_name: Type of the artifacts; None: of all types.
            context_id: Number of the context that they are in; None: of all contexts.
        """
        query = (
            "SELECT a.id, t.name, a.uri, a.create_time_since_epoch FROM Artifact a JOIN Type t ON t.id = a.type_id "
            "WHERE (?1 IS NULL OR t.name = ?1) AND (?2 IS NULL OR EXISTS (SELECT 1 FROM Attribution b "
            "WHERE b.artifact_id = a.id AND b.context_id = ?2)) ORDER BY a.id"
        )
        rows = self._database.execute(query, (type_name, context_id)).fetchall()
        return [Artifact(row[0], row[1], row[2], self._properties("Artifact", row[0]), row[3]) for row in rows]

    def executions(self, type_name: str | None = None, **properties: Value) -> list[Execution]:
        """Executions, oldest first.

        Args:
            type_name: Name of the stage; None: of all stages.
            properties: Properties that the executions must have, e.g. fingerprint="1234".
        """
        query = (
            "SELECT e.id, t.name, e.last_known_state, e.create_time_since_epoch, e.last_update_time_since_epoch "
            "FROM Execution e JOIN Type t ON t.id = e.type_id WHERE (?1 IS NULL OR t.name = ?1) ORDER BY e.id"
        )
        executions = []
        for number, name, state, created, updated in self._database.execute(query, (type_name,)).fetchall():
            recorded = self._properties("Execution", number)
            if all(recorded.get(key) == value for key, value in properties.items()):
                executions.append(Execution(number, name, ExecutionState(state), recorded, created, updated))
        return executions

    def events(self) -> list[Event]:
        """All events, oldest first."""
        query = (
            "SELECT e.artifact_id, e.execution_id, e.type, p.step_key FROM Event e "
            "LEFT JOIN EventPath p ON p.event_id = e.id ORDER BY e.id"
        )
        return [Event(row[0], row[1], EventType(row[2]), row[3] or "") for row in self._database.execute(query)]

    def outputs(self, execution_id: int) -> dict[str, Artifact]:
        """The artifacts that an execution wrote, by key."""
        keys = {
            event.artifact_id: event.key
            for event in self.events()
            if event.execution_id == execution_id and event.type == EventType.OUTPUT
        }
        return {keys[artifact.id]: artifact for artifact in self.artifacts() if artifact.id in keys}

    def _type(self, name: str, kind: int) -> int:
        self._database.execute("INSERT OR IGNORE INTO Type VALUES (NULL, ?, ?)", (name, kind))
        row = self._database.execute("SELECT id FROM Type WHERE name = ? AND type_kind = ?", (name, kind)).fetchone()
        return int(row[0])

    def _set_properties(self, owner: str, number: int, properties: Mapping[str, Value]) -> None:
        rows = [
            (
                number,
                name,
                value if isinstance(value, int) else None,
                value if isinstance(value, float) else None,
                value if isinstance(value, str) else None,
            )
            for name, value in properties.items()
        ]
        self._database.executemany(f"INSERT OR REPLACE INTO {owner}Property VALUES (?, ?, ?, ?, ?)", rows)

    def _properties(self, owner: str, number: int) -> Properties:
        query = f"SELECT name, int_value, double_value, string_value FROM {owner}Property WHERE {owner}_id = ?"
        properties: Properties = {}
        for name, *values in self._database.execute(query, (number,)):
            # SQLite stores what is not a number as nothing.
            properties[name] = next((value for value in values if value is not None), math.nan)
        return properties


def _row_id(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise sqlite3.DatabaseError("an inserted row must have an id; SQLite gave none")
    return cursor.lastrowid


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
