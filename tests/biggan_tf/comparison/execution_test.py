import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from biggan_tf import files
from biggan_tf.comparison import child_process, execution, plan
from biggan_tf.comparison.execution import ComparisonExecution, ExecutionError
from biggan_tf.config.comparison import ComparisonEntry
from biggan_tf.training import loop
from biggan_tf.training.shutdown import Shutdown
from tests.biggan_tf.comparison import toy
from tests.biggan_tf.families.super_resolution import smallest as super_resolution
from tests.data import made_data

ROOT = pathlib.Path(__file__).parents[3]


class Commands:
    """Stands for the commands: writes what they would write, and ends with the statuses that it is told."""

    def __init__(self, runs, statuses=()):
        self._runs = {run.workdir: run for run in runs}
        self._statuses = dict(statuses)
        self.called = []

    def __call__(self, words, log, shutdown, poll):
        poll()
        flags = dict(word.removeprefix("--").partition("=")[::2] for word in words[1:])
        run = self._runs[flags["workdir"]]
        name = words[0].removeprefix("biggan_tf.")
        self.called.append((name, run.name))
        status = self._statuses.get((name, run.name), 0)
        files.write_text(log, f"{name} says {status}\n")
        if status == 0 and name == "evaluate":
            assert flags["output"] == files.join(run.workdir, execution.FOLDER)
            files.write_text(execution.result_path(run), "{}")
            if run.config.model.enlargement > 1:
                assert flags["num_real"] == "16"
                files.write_text(execution.samples_path(run), "")
        elif status == 0 and name == "sample":
            assert flags["classes"] == "class_0,class_1,class_2"
            assert flags["num"] == "6"
            files.write_text(execution.samples_path(run), "")
        return status


@pytest.fixture
def made(tmp_path):
    made_data.write(tmp_path / "data", num_shards=1, per_shard=12)
    return toy.comparison(tmp_path / "data")


def execute(made, tmp_path, monkeypatch, statuses=(), after_each=lambda: None):
    runs = toy.runs_of(made, tmp_path)
    commands = Commands(runs, statuses)
    monkeypatch.setattr(child_process, "run", commands)
    try:
        return ComparisonExecution(made, runs, str(tmp_path), Shutdown(has_work=False)).run(after_each), commands.called
    except ExecutionError as error:
        return error, commands.called


def steps(*names):
    return [(command, name) for name in names for command in ("train", "evaluate", "sample")]


def test_every_run_is_trained_measured_and_sampled_one_after_the_other(made, tmp_path, monkeypatch):
    reports = []
    status, called = execute(made, tmp_path, monkeypatch, after_each=lambda: reports.append(1))
    assert status == loop.DONE
    assert called == steps("hinge-0", "hinge-1", "logistic-0")
    assert len(reports) == 3
    assert execute(made, tmp_path, monkeypatch) == (loop.DONE, [])


def test_enlarged_images_come_with_their_evaluation(tmp_path, monkeypatch):
    made_data.write(tmp_path / "data", num_shards=1, per_shard=12)
    entry = ComparisonEntry("sharp", super_resolution.config())
    made = toy.comparison(tmp_path / "data", entries=(entry,))
    assert execute(made, tmp_path, monkeypatch) == (loop.DONE, [("train", "sharp-0"), ("evaluate", "sharp-0")])
    (run,) = toy.runs_of(made, tmp_path)
    os.remove(execution.samples_path(run))  # they are written again by what wrote them
    assert execute(made, tmp_path, monkeypatch) == (loop.DONE, [("evaluate", "sharp-0")])


def test_an_interrupted_comparison_goes_on_where_it_was(made, tmp_path, monkeypatch):
    status, called = execute(made, tmp_path, monkeypatch, {("evaluate", "hinge-1"): 75})
    assert status == loop.INTERRUPTED
    assert called == [*steps("hinge-0"), ("train", "hinge-1"), ("evaluate", "hinge-1")]
    status, called = execute(made, tmp_path, monkeypatch)
    assert status == loop.DONE
    assert called == [("evaluate", "hinge-1"), ("sample", "hinge-1"), *steps("logistic-0")]


def test_an_interrupted_training_is_trained_again(made, tmp_path, monkeypatch):
    status, _ = execute(made, tmp_path, monkeypatch, {("train", "hinge-0"): 75})
    assert status == loop.INTERRUPTED
    _, called = execute(made, tmp_path, monkeypatch)
    assert called[0] == ("train", "hinge-0")


@pytest.mark.parametrize(("status", "reason"), [(3, "a value was not finite"), (4, "the networks collapsed")])
def test_a_failed_training_is_noted_and_the_others_go_on(made, tmp_path, monkeypatch, status, reason):
    ended, called = execute(made, tmp_path, monkeypatch, {("train", "hinge-0"): status})
    assert ended == loop.DONE
    assert called == [("train", "hinge-0"), *steps("hinge-1", "logistic-0")]
    outcome = json.loads((tmp_path / "runs/hinge-0" / execution.FOLDER / "outcome.json").read_text())
    assert outcome["reason"] == reason
    assert execute(made, tmp_path, monkeypatch) == (loop.DONE, [])


@pytest.mark.parametrize(("status", "ends_with"), [(2, 2), (74, 74), (1, 1), (-9, 1)])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_another_error_stops_the_comparison_with_its_last_words(
    made, tmp_path, monkeypatch, command, status, ends_with
):
    error, called = execute(made, tmp_path, monkeypatch, {(command, "hinge-0"): status})
    assert isinstance(error, ExecutionError)
    assert error.status == ends_with
    assert f"hinge-0: python -m biggan_tf.{command} ended with status {status}" in str(error)
    assert f"{command} says {status}" in str(error)
    assert called[-1] == (command, "hinge-0")


def test_a_signal_before_a_run_stops_the_comparison(made, tmp_path, monkeypatch):
    runs = toy.runs_of(made, tmp_path)
    monkeypatch.setattr(child_process, "run", Commands(runs))
    shutdown = Shutdown(has_work=False)
    shutdown.requested = True
    assert ComparisonExecution(made, runs, str(tmp_path), shutdown).run(lambda: None) == loop.INTERRUPTED


@pytest.mark.parametrize(("classes", "labels"), [(0, []), (3, [0, 1, 2]), (10, list(range(10)))])
def test_sheets_show_all_classes_up_to_ten(classes, labels):
    assert execution.sheet_labels(classes) == labels


def test_sheets_show_ten_classes_of_many_spread_evenly():
    assert execution.sheet_labels(1000) == list(range(0, 1000, 100))


def test_a_process_is_told_to_end_when_the_shutdown_is_requested(tmp_path):
    log = str(tmp_path / "logs" / "output.log")
    shutdown = Shutdown(has_work=False)

    def poll():
        shutdown.requested = True

    # A module of Python's own that runs until it is told to end.
    assert child_process.run(["http.server", "0", "--bind=127.0.0.1"], log, shutdown, poll) == -15


def test_a_process_that_was_halted_and_goes_on_is_told_to_end_as_well(tmp_path):
    (tmp_path / "halting.py").write_text("""
import http.server, os, pathlib, subprocess, sys
# It halts once by itself, and something else lets it go on.
subprocess.Popen([sys.executable, "-c",
    f"import os, signal, time; time.sleep(0.5); os.kill({os.getpid()}, signal.SIGCONT)"])
os.kill(os.getpid(), 19)
pathlib.Path("ready").touch()
http.server.test(port=0, bind="127.0.0.1")
""")
    (tmp_path / "parent.py").write_text("""
import pathlib
from biggan_tf.comparison import child_process
from biggan_tf.training.shutdown import Shutdown
shutdown = Shutdown(has_work=False)
def poll():
    shutdown.requested = pathlib.Path("ready").exists()
pathlib.Path("status").write_text(str(child_process.run(["halting"], "logs/log", shutdown, poll)))
""")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    subprocess.run([sys.executable, "parent.py"], cwd=tmp_path, env=environment, check=True, timeout=100)
    assert (tmp_path / "status").read_text() == "-15"


def test_a_killed_parent_of_many_threads_tells_the_process_to_end_once(tmp_path):
    (tmp_path / "counting.py").write_text("""
import pathlib, signal, time
count = 0
def add(*unused):
    global count
    count += 1
signal.signal(signal.SIGTERM, add)
pathlib.Path("ready").touch()
end = time.monotonic() + 60
while not count and time.monotonic() < end:
    time.sleep(0.0005)
time.sleep(0.5)
pathlib.Path("count").write_text(str(count))
""")
    (tmp_path / "parent.py").write_text("""
import threading, time
from biggan_tf.comparison import child_process
from biggan_tf.training.shutdown import Shutdown
for _ in range(300):
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
child_process.run(["counting"], "logs/log", Shutdown(has_work=False), lambda: None)
""")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    with subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, env=environment) as parent:
        wait_for(tmp_path / "ready")
        parent.kill()
    wait_for(tmp_path / "count")
    assert (tmp_path / "count").read_text() == "1"


def wait_for(path, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not (path.exists() and (path.name == "ready" or path.read_text())):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_process_that_was_killed_says_so_by_its_status_alone(tmp_path, monkeypatch):
    (tmp_path / "killed.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    log = str(tmp_path / "output.log")
    assert child_process.run(["killed"], log, Shutdown(has_work=False), lambda: None) == -9
    assert child_process.last_lines(log) == ""


def test_what_a_process_printed_is_kept_and_told(tmp_path):
    log = str(tmp_path / "output.log")
    assert child_process.run(["platform"], log, Shutdown(has_work=False), lambda: None) == 0
    assert child_process.run(["no_such_module"], log, Shutdown(has_work=False), lambda: None) == 1
    assert "No module named no_such_module" in child_process.last_lines(log)
    assert child_process.last_lines(str(tmp_path / "none.log")) == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"status": "x"}'])
def test_a_damaged_outcome_is_said_to_be_one(made, tmp_path, text):
    run = toy.runs_of(made, tmp_path)[0]
    files.write_text(files.join(run.workdir, execution.FOLDER, "outcome.json"), text)
    with pytest.raises(plan.ComparisonError, match="must say how a training ended"):
        execution.is_complete(run)
