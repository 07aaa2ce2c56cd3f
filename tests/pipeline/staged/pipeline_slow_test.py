"""The real stages, killed, changed, and given a model that is worse."""

import json
import os
import pathlib
import signal
import time

import pytest

from pipeline.staged.execution_records import STORE
from pipeline.staged.metadata import ExecutionState, MetadataStore
from pipeline.staged.stages import pusher
from pipeline.staged.stages.all_stages import STAGES
from tests.pipeline.staged.fork_pipeline import ForkServer

pytestmark = pytest.mark.slow
NAMES = [stage.name for stage in STAGES]
_CLOSED = 3


@pytest.fixture(scope="module")
def server():
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def root(server, tmp_path_factory):
    """A pipeline that was killed once inside every stage, and always continued by the same command."""
    root = tmp_path_factory.mktemp("root")
    for name in NAMES:
        pid = server.start(root, stop_in=name)
        deadline = time.monotonic() + 1200
        while not (root / "inside").exists():
            assert time.monotonic() < deadline
            if not pathlib.Path(f"/proc/{pid}").exists():
                pytest.fail(f"{name} ended by itself: {server.wait()}")
            time.sleep(0.02)
        (root / "inside").unlink()
        os.kill(pid, signal.SIGKILL)
        assert server.wait()[0] == -signal.SIGKILL
    status, text = server.run(root)
    assert status == 0, text
    return root


def executions(root, state=ExecutionState.COMPLETE):
    store = MetadataStore(root / STORE)
    found = [execution for execution in store.executions() if execution.state == state]
    store.close()
    return found


def ran_since(root, known):
    return [execution.type for execution in executions(root) if execution.id not in known]


def versions(root):
    return pusher.versions_in(root / "serving" / "shapes")


def test_kill_9_inside_any_stage_is_continued_by_the_same_command(root):
    complete = executions(root)
    assert [execution.type for execution in complete] == NAMES
    assert [execution.properties["attempts"] for execution in complete] == [2] * len(NAMES)
    assert executions(root, ExecutionState.FAILED) == []
    assert len(versions(root)) == 1  # killed after it had pushed, and not pushed twice
    assert list((root / ".system" / "executor_execution").iterdir()) == []
    # The training went on from its checkpoint: every step is there once.
    (run,) = (root / "Trainer" / "model_run").iterdir()
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4]


def test_nothing_runs_again_while_nothing_changes(root, server):
    known = {execution.id for execution in executions(root)}
    status, text = server.run(root)
    assert status == 0, text
    assert text.count("up to date") == len(NAMES)
    assert ran_since(root, known) == []
    assert len(versions(root)) == 1


def test_worse_model_is_not_pushed_and_only_the_trainer_and_what_follows_ran(root, server):
    known = {execution.id for execution in executions(root)}
    # At this rate the biases saturate the output: one colour, whatever the latents.
    worse = {"trainer.training.generator.learning_rate": 0.9}
    for _ in range(2):
        status, text = server.run(root, **worse)
        assert status == _CLOSED, text
        assert "Evaluator stops the pipeline" in text
        assert "the last blessed model's is" in text
        assert ran_since(root, known) == ["Trainer", "Evaluator"]
    assert len(versions(root)) == 1


def test_threshold_that_is_not_met_stops_at_the_evaluator(root, server):
    status, text = server.run(root, **{"evaluator.thresholds": ["accuracy >= 1.1"]})
    assert status == _CLOSED, text
    assert "the threshold is >= 1.1" in text
    assert len(versions(root)) == 1


def test_model_that_cannot_be_served_is_not_pushed(root, server):
    settings = {"infra_validator.model_server_binary": "/bin/false", "infra_validator.num_tries": 2}
    status, text = server.run(root, **settings)
    assert status == _CLOSED, text
    assert "InfraValidator stops the pipeline" in text
    assert "status 1" in text
    assert "(tries: 2)" in text
    assert len(versions(root)) == 1


def test_lineage_leads_from_the_pushed_model_to_the_archive(root):
    text = (root / "lineage.txt").read_text()
    assert text.startswith("RawArchive 1")
    assert "ExampleGen" in (root / "lineage.svg").read_text()
