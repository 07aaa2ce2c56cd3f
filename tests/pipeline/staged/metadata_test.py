import sqlite3

import pytest

from pipeline.staged.metadata import EventType, ExecutionState, MetadataStore


@pytest.fixture
def store(tmp_path):
    store = MetadataStore(tmp_path / "store.sqlite")
    yield store
    store.close()


def test_what_is_written_is_read_with_its_types(store):
    properties = {"count": 3, "share": 0.5, "name": "ring", "empty": "", "zero": 0}
    written = store.add_artifact("Examples", "/data/1", properties)
    (read,) = store.artifacts("Examples")
    assert read == written
    assert {key: type(value) for key, value in read.properties.items()} == {
        "count": int, "share": float, "name": str, "empty": str, "zero": int
    }  # fmt: skip
    assert store.artifacts("Model") == []


def test_execution_changes_state_and_keeps_its_properties(store):
    execution = store.add_execution("Trainer", ExecutionState.RUNNING, {"fingerprint": "a", "attempts": 1})
    store.update_execution(execution.id, ExecutionState.COMPLETE, {"attempts": 2})
    (read,) = store.executions("Trainer", fingerprint="a")
    assert (read.state, read.properties) == (ExecutionState.COMPLETE, {"fingerprint": "a", "attempts": 2})
    assert store.executions("Trainer", fingerprint="b") == []


def test_transaction_is_all_or_nothing(store):
    def fails():
        with store.transaction():
            store.add_artifact("Model", "/model", {})
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert store.artifacts() == []


def test_outputs_are_found_by_key(store):
    execution = store.add_execution("Trainer", ExecutionState.COMPLETE, {})
    examples, model = store.add_artifact("Examples", "/e", {}), store.add_artifact("Model", "/m", {})
    store.add_event(examples.id, execution.id, EventType.INPUT, "examples")
    for _ in range(2):  # said twice, recorded once
        store.add_event(model.id, execution.id, EventType.OUTPUT, "model")
    assert store.outputs(execution.id) == {"model": model}
    assert len(store.events()) == 2


def test_context_is_made_once(store):
    assert store.add_context("pipeline", "shapes") == store.add_context("pipeline", "shapes")
    assert store.contexts("pipeline") == [(1, "shapes")]


def test_tables_are_mlmds(store, tmp_path):
    names = sqlite3.connect(tmp_path / "store.sqlite").execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    expected = {"Type", "Artifact", "Execution", "Context", "ArtifactProperty", "ExecutionProperty", "Event"}
    assert {*expected, "EventPath", "Association", "Attribution"} <= {name for (name,) in names}
