"""What was run, on what, with what result: an SQLite file with the tables and nouns of ML Metadata (MLMD).

MLMD itself is a C++ wheel that needs a newer glibc than many clusters have. The tables bear its names and its numbers
for states and events, so that an exporter, or a query written for MLMD, needs no translation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
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
_EXECUTION_KIND, _ARTIFACT_KIND, _CONTEXT_KIND = 0, 1, 2


class State(enum.IntEnum):
    """Of an execution, with MLMD's numbers."""

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


LIVE = 2  # the state of an artifact that is there; MLMD's number


@dataclasses.dataclass(frozen=True)
class Artifact:
    """Something on disk, or the raw input: its place, its content's fingerprint, what is known of it."""

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
    """One run of one stage, or the note that an earlier one still holds (CACHED)."""

    id: int
    type: str
    state: State
    properties: Properties
    created_ms: int = 0
    updated_ms: int = 0


@dataclasses.dataclass(frozen=True)
class Event:
    """An execution read or wrote an artifact, under a key."""

    artifact_id: int
    execution_id: int
    type: EventType
    key: str


class MetadataStore:
    """The file of records; every change is on disk when the call, or the transaction around it, ends.

    Args:
        path: Of the SQLite file; made if it is not there.
    """

    def __init__(self, path: str | os.PathLike):
        self._database = sqlite3.connect(path, isolation_level=None, timeout=60.0)
        self._database.executescript(_SCHEMA)

    def __enter__(self) -> MetadataStore:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All the changes of the block, or none of them."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def add_artifact(self, type_name: str, uri: str, properties: Mapping[str, Value]) -> Artifact:
        """Records an artifact that is there."""
        now = _now_ms()
        cursor = self._database.execute(
            "INSERT INTO Artifact VALUES (NULL, ?, ?, ?, ?, ?)",
            (self._type(type_name, _ARTIFACT_KIND), uri, LIVE, now, now),
        )
        self._set_properties("Artifact", _row_id(cursor), properties)
        return Artifact(_row_id(cursor), type_name, uri, dict(properties), now)

    def add_execution(self, type_name: str, state: State, properties: Mapping[str, Value]) -> Execution:
        """Records an execution."""
        now = _now_ms()
        cursor = self._database.execute(
            "INSERT INTO Execution VALUES (NULL, ?, ?, ?, ?)",
            (self._type(type_name, _EXECUTION_KIND), int(state), now, now),
        )
        self._set_properties("Execution", _row_id(cursor), properties)
        return Execution(_row_id(cursor), type_name, state, dict(properties), now, now)

    def update_execution(self, execution_id: int, state: State, properties: Mapping[str, Value]) -> None:
        """Changes the state of an execution and adds properties."""
        self._database.execute(
            "UPDATE Execution SET last_known_state = ?, last_update_time_since_epoch = ? WHERE id = ?",
            (int(state), _now_ms(), execution_id),
        )
        self._set_properties("Execution", execution_id, properties)

    def add_context(self, type_name: str, name: str) -> int:
        """The id of a context, which is made if it is new."""
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
        """Records that an execution read or wrote an artifact; once, however often it is said."""
        cursor = self._database.execute(
            "INSERT OR IGNORE INTO Event VALUES (NULL, ?, ?, ?, ?)", (artifact_id, execution_id, int(kind), _now_ms())
        )
        if cursor.rowcount:
            self._database.execute("INSERT INTO EventPath VALUES (?, 0, NULL, ?)", (cursor.lastrowid, key))

    def artifacts(self, type_name: str | None = None, context_id: int | None = None) -> list[Artifact]:
        """Artifacts, oldest first.

        Args:
            type_name: Only of this type.
            context_id: Only those in this context.
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
            type_name: Only of this type.
            properties: Only those with these values.
        """
        query = (
            "SELECT e.id, t.name, e.last_known_state, e.create_time_since_epoch, e.last_update_time_since_epoch "
            "FROM Execution e JOIN Type t ON t.id = e.type_id WHERE (?1 IS NULL OR t.name = ?1) ORDER BY e.id"
        )
        found = []
        for number, name, state, created, updated in self._database.execute(query, (type_name,)).fetchall():
            known = self._properties("Execution", number)
            if all(known.get(key) == value for key, value in properties.items()):
                found.append(Execution(number, name, State(state), known, created, updated))
        return found

    def events(self) -> list[Event]:
        """Every event, in the order of their ids."""
        query = (
            "SELECT e.artifact_id, e.execution_id, e.type, p.step_key FROM Event e "
            "LEFT JOIN EventPath p ON p.event_id = e.id ORDER BY e.id"
        )
        return [Event(row[0], row[1], EventType(row[2]), row[3] or "") for row in self._database.execute(query)]

    def outputs(self, execution_id: int) -> dict[str, Artifact]:
        """What an execution wrote, by key."""
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
        found: Properties = {}
        for name, *values in self._database.execute(query, (number,)):
            found[name] = next(value for value in values if value is not None)
        return found


def _row_id(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise sqlite3.DatabaseError("an inserted row must have an id; SQLite gave none")
    return cursor.lastrowid


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
