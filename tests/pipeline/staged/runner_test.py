import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from pipeline.errors import UsageError
from pipeline.staged.execution_records import STORE
from pipeline.staged.metadata import EventType, ExecutionState, MetadataStore
from pipeline.staged.runner import RUN, Runner
from pipeline.staged.stage import GateError, StageError, StageInterrupted, StageResult
from tests.pipeline.staged import fake_stages


def ran(reports):
    return [report.stage for report in reports if report.was_run]


def executions(root, state=ExecutionState.COMPLETE):
    store = MetadataStore(pathlib.Path(root) / STORE)
    found = [(execution.type, execution.properties) for execution in store.executions() if execution.state == state]
    store.close()
    return found


def total(reports):
    return int((pathlib.Path(reports[-1].outputs["total"].uri) / "total.txt").read_text())


def test_outputs_lie_where_tfx_puts_them(tmp_path):
    reports = fake_stages.run(tmp_path)
    assert ran(reports) == ["Load", "Square", "Sum"]
    assert total(reports) == 14
    assert (tmp_path / "Sum" / "blessing" / "3" / "BLESSED").exists()
    assert (tmp_path / "Load" / "numbers" / "1" / "numbers.txt").exists()
    assert list((tmp_path / ".system" / "executor_execution").iterdir()) == []


def test_nothing_runs_again_while_nothing_changes(tmp_path):
    first = fake_stages.run(tmp_path)
    second = fake_stages.run(tmp_path)
    assert ran(second) == []
    assert [r.outputs for r in second] == [r.outputs for r in first]
    assert [name for name, _ in executions(tmp_path, ExecutionState.CACHED)] == ["Load", "Square", "Sum"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"numbers": (1, 2, 4)}, ["Load", "Square", "Sum"]),
        ({"power": 3}, ["Square", "Sum"]),
        ({"limit": 999}, ["Sum"]),
        ({"name": "other"}, []),
    ],
)
def test_a_change_runs_what_it_touches_and_what_follows(tmp_path, fields, expected):
    fake_stages.run(tmp_path)
    assert ran(fake_stages.run(tmp_path, **fields)) == expected
    assert ran(fake_stages.run(tmp_path)) == []  # the first outputs are still there


def test_equal_output_of_a_stage_that_ran_again_stops_the_change(tmp_path, monkeypatch):
    fake_stages.run(tmp_path)
    monkeypatch.setattr(fake_stages.Load, "version", "2")
    assert ran(fake_stages.run(tmp_path)) == ["Load"]


def test_damaged_output_is_made_again(tmp_path, caplog):
    reports = fake_stages.run(tmp_path)
    (pathlib.Path(reports[1].outputs["squares"].uri) / "0.txt").unlink()
    assert ran(fake_stages.run(tmp_path)) == ["Square"]
    assert "has changed or gone" in caplog.text


def test_until_ends_early_and_names_the_stages(tmp_path):
    assert [r.stage for r in fake_stages.run(tmp_path, until="Square")] == ["Load", "Square"]
    with pytest.raises(
        UsageError, match=r"must be one of Load, Square, Sum\. Received: 'Sqare'; did you mean Square\?"
    ):
        fake_stages.run(tmp_path, until="Sqare")


def test_closed_gate_stops_with_its_reason_and_stays_closed(tmp_path):
    for _ in range(2):
        with pytest.raises(GateError, match="the sum is 14, the limit is 10") as caught:
            fake_stages.run(tmp_path, limit=10)
        assert caught.value.stage == "Sum"
    assert [name for name, _ in executions(tmp_path)] == ["Load", "Square", "Sum"]
    assert (tmp_path / "Sum" / "blessing" / "3" / "NOT_BLESSED").exists()


def test_failed_stage_is_recorded_and_goes_on(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fake_stages.Square, "run", lambda self, context: (_ for _ in ()).throw(StageError("no space")))
        with pytest.raises(StageError, match="no space"):
            fake_stages.run(tmp_path)
    ((name, properties),) = executions(tmp_path, ExecutionState.FAILED)
    assert (name, properties["error"]) == ("Square", "StageError: no space")
    reports = fake_stages.run(tmp_path)
    assert ran(reports) == ["Square", "Sum"]
    assert dict(executions(tmp_path))["Square"]["attempts"] == 2


def test_interrupted_stage_is_not_a_failure(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fake_stages.Square, "run", lambda self, context: (_ for _ in ()).throw(StageInterrupted("saved")))
        with pytest.raises(StageInterrupted):
            fake_stages.run(tmp_path)
    assert [name for name, _ in executions(tmp_path, ExecutionState.CANCELED)] == ["Square"]
    assert ran(fake_stages.run(tmp_path)) == ["Square", "Sum"]


def test_stage_that_forgets_an_output_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(fake_stages.Load, "run", lambda self, context: StageResult())
    with pytest.raises(StageError, match="Load must write its output 'numbers'"):
        fake_stages.run(tmp_path)


def test_two_runs_at_once_are_refused(tmp_path):
    config = fake_stages.FakeConfig()
    with Runner(tmp_path, config), pytest.raises(StageError, match="Another run works in"), Runner(tmp_path, config):
        pass


@pytest.mark.parametrize("moment", fake_stages.MOMENTS)
def test_kill_9_at_any_moment_is_continued_by_the_same_command(tmp_path, moment):
    command = [sys.executable, "-m", "tests.pipeline.staged.fake_stages", str(tmp_path)]
    process = subprocess.Popen([*command, moment])
    deadline = time.monotonic() + 300
    while not (tmp_path / "inside").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert subprocess.run([*command, ""], check=False).returncode == 0
    reports = fake_stages.run(tmp_path)
    assert ran(reports) == []
    known = dict(executions(tmp_path))
    stopped = {"named": "Square", "recorded": ""}.get(moment, moment)
    assert {name: p["attempts"] for name, p in known.items()} == {
        name: 2 if name == stopped else 1 for name in ("Load", "Square", "Sum")
    }
    assert total(reports) == 14
    # Nothing that was done before the kill was done again.
    assert (pathlib.Path(reports[1].outputs["squares"].uri) / "order.txt").read_text() == "0\n1\n2\n"


def test_records_bear_mlmds_nouns(tmp_path):
    fake_stages.run(tmp_path)
    store = MetadataStore(tmp_path / STORE)
    events = [(e.artifact_id, e.execution_id, e.type, e.key) for e in store.events()]
    assert events[:2] == [(1, 1, EventType.INPUT, "raw"), (2, 1, EventType.OUTPUT, "numbers")]
    ((context, _),) = store.contexts(RUN)
    assert [a.id for a in store.artifacts(context_id=context)] == [1, 2, 3, 4, 5]
    (load,) = store.executions("Load")
    assert load.properties["pid"] == os.getpid()
    assert '"tensorflow"' in load.properties["versions"]
    store.close()
