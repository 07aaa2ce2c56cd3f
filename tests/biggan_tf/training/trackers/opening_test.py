"""Trackers: what they are told, that a failure costs no training, and that nothing leaves the machine unasked."""

import importlib.machinery
import json
import logging
import sys
import types

import numpy as np
import pytest

from biggan_tf.config import Config, ConfigError
from biggan_tf.training import loop, run_log
from biggan_tf.training.trackers import opening
from tests.biggan_tf.training import tiny
from tests.data import made_data

VARIABLES = ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")
GRID = np.zeros([8, 8, 3], np.uint8)


class Recorder:
    """A tracker that keeps what it is told."""

    def __init__(self, workdir, config):
        self.workdir, self.config = workdir, config
        self.numbers, self.sheets, self.closed = [], [], 0

    def scalars(self, step, values):
        self.numbers.append((step, dict(values)))

    def pictures(self, step, grids):
        self.sheets.append((step, {name: grid.shape for name, grid in grids.items()}))

    def close(self):
        self.closed += 1


@pytest.fixture(autouse=True)
def unasked(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def fake_module(monkeypatch, name, **attributes):
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    for attribute, value in attributes.items():
        setattr(module, attribute, value)
    monkeypatch.setitem(sys.modules, name, module)
    # The module that imports the fake is imported afresh now, and forgotten after the test.
    monkeypatch.setitem(sys.modules, f"biggan_tf.training.trackers.{name}_tracker", module)
    del sys.modules[f"biggan_tf.training.trackers.{name}_tracker"]


def a_training(tmp_path):
    made_data.write(tmp_path / "data", num_shards=2, per_shard=30)
    config = tiny.toy(num_steps=2, discriminator_steps=1)
    config.data.path = str(tmp_path / "data")
    config.monitoring.log_every_steps = config.monitoring.sample_every_steps = 1
    config.evaluation.every_steps = 2
    return config


def test_a_tracker_is_told_what_the_log_is_told(tmp_path):
    recorder = Recorder(str(tmp_path), Config())
    log = run_log.RunLog(str(tmp_path), 10, 0, trackers=[recorder])
    values = {"images_per_second": 8.0, "memory_bytes": 1.0, "d_loss": 0.5}
    log.write(1, values)
    log.event(2, {"collapse": "too far apart", "fd": 3.0})
    log.pictures(3, {"random": GRID}, {"sigma": 2.0})
    log.close()
    assert recorder.numbers == [(1, values), (2, {"fd": 3.0}), (3, {"sigma": 2.0})]
    assert recorder.sheets == [(3, {"random": (8, 8, 3)})]
    assert recorder.closed == 1
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_worker_that_writes_nothing_tells_trackers_nothing(tmp_path):
    log = run_log.RunLog(str(tmp_path), 10, 0, active=False)
    log.event(2, {"fd": 3.0})
    log.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_training_opens_its_trackers_and_closes_them(tmp_path):
    opened = []

    def open_tracker(workdir, config):
        opened.append(Recorder(workdir, config))
        return opened[-1]

    workdir = tmp_path / "run"
    config = a_training(tmp_path)
    assert loop.train(config, str(workdir), evaluate=lambda *_: {"fd": 2.5}, trackers=[open_tracker]) == loop.DONE
    (recorder,) = opened
    assert (recorder.workdir, recorder.closed) == (str(workdir), 1)
    lines = [json.loads(line) for line in (workdir / run_log.METRICS).read_text().splitlines()]
    told = {step: {} for step, _ in recorder.numbers}
    for step, values in recorder.numbers:
        told[step].update(values)
    for line in lines:
        assert line.items() <= {"step": line["step"], **told[line["step"]]}.items()
    assert told[2]["fd"] == 2.5
    assert [step for step, _ in recorder.sheets] == [1, 2]
    assert all(shape[2] == 3 for _, grids in recorder.sheets for shape in grids.values())


@pytest.mark.parametrize("method", ["__init__", "scalars", "pictures", "close"])
def test_a_tracker_that_fails_costs_its_curves_alone(method, monkeypatch, caplog):
    def broken(*_, **__):
        raise ConnectionError("no route to host")

    recorder = type("Recorder", (Recorder,), {method: broken})
    tracker = opening.LenientTracker("wandb", lambda: recorder("run", Config()))
    with caplog.at_level(logging.WARNING, "biggan_tf"):
        for step in (1, 2):
            tracker.scalars(step, {"d_loss": 1.0})
            tracker.pictures(step, {"random": GRID})
        tracker.close()
        tracker.close()
    (told,) = caplog.records
    assert "wandb failed" in told.getMessage()
    assert "no route to host" in told.getMessage()


def test_a_name_that_is_no_tracker_is_refused():
    with pytest.raises(ConfigError, match=r"one of mlflow, wandb\. Received: tensorbord"):
        opening.named("tensorbord")


@pytest.mark.parametrize("name", opening.NAMES)
def test_a_library_that_is_missing_is_named_with_the_remedy(name, monkeypatch):
    monkeypatch.setattr(opening.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=rf"python -m pip install 'biggan-tf\[{name}\]'"):
        opening.named(name)


class FakeWandbRun:
    def __init__(self, settings):
        self.settings, self.logged, self.metrics, self.finished = settings, [], [], 0

    def define_metric(self, name, step_metric):
        self.metrics.append((name, step_metric))

    def log(self, values):
        self.logged.append(values)

    def finish(self):
        self.finished += 1


def test_wandb_is_offline_unless_it_is_asked_to_send_and_goes_on_with_its_run(tmp_path, monkeypatch):
    runs = []

    def init(**settings):
        runs.append(FakeWandbRun(settings))
        return runs[-1]

    fake_module(monkeypatch, "wandb", init=init, Image=lambda grid: ("image", grid.shape))
    for mode in (None, "online"):
        if mode:
            monkeypatch.setenv("WANDB_MODE", mode)
        tracker = opening.named("wandb")(str(tmp_path), Config(name="tiny"))
        tracker.scalars(3, {"d_loss": 1.5})
        tracker.pictures(3, {"random": GRID})
        tracker.close()
    first, second = runs
    assert (first.settings["mode"], second.settings["mode"]) == ("offline", "online")
    assert first.settings["id"] == second.settings["id"] != ""
    assert first.settings["resume"] == "allow"
    assert first.settings["dir"] == str(tmp_path)
    assert first.settings["config"]["training"]["num_steps"] == 100_000
    assert first.metrics == [("*", "step")]
    assert first.logged == [{"step": 3, "d_loss": 1.5}, {"step": 3, "samples random": ("image", (8, 8, 3))}]
    assert first.finished == 1


class FakeMlflowClient:
    def __init__(self, tracking_uri):
        self.uri, self.calls = tracking_uri, []

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name, location):
        self.calls.append(("create_experiment", name, location))
        return "7"

    def create_run(self, experiment, run_name):
        self.calls.append(("create_run", experiment, run_name))
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id="abc"))

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.calls.append((name, *args, *kwargs.values()))


def test_mlflow_keeps_its_numbers_here_unless_it_is_given_a_server_and_goes_on_with_its_run(tmp_path, monkeypatch):
    opened = []

    def client(tracking_uri):
        opened.append(FakeMlflowClient(tracking_uri))
        return opened[-1]

    fake_module(monkeypatch, "mlflow", MlflowClient=client)
    fake_module(monkeypatch, "mlflow.entities", Metric=lambda key, value, timestamp, step: (key, value, step))
    for address in (None, "http://tracking:5000"):
        if address:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        tracker = opening.named("mlflow")(str(tmp_path), Config(name="tiny"))
        tracker.scalars(3, {"sigma [1]": 1.5})
        tracker.pictures(3, {"random": GRID})
        tracker.close()
    first, second = opened
    assert first.uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert second.uri == address
    assert ("create_experiment", "biggan_tf", (tmp_path / "mlflow/files").as_uri()) in first.calls
    assert ("create_run", "7", "tiny") in first.calls
    assert ("log_batch", "abc", [("sigma _1_", 1.5, 3)]) in first.calls
    assert first.calls[-1] == ("set_terminated", "abc")
    assert second.calls[0] == ("update_run", "abc", "RUNNING")
    assert "create_run" not in [call[0] for call in second.calls]


@pytest.mark.slow
def test_wandb_itself_writes_a_run_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="python -m pip install 'biggan-tf[wandb]'")
    monkeypatch.setenv("WANDB_SILENT", "true")
    assert loop.train(a_training(tmp_path), str(tmp_path / "run"), trackers=[opening.named("wandb")]) == loop.DONE
    (run,) = (tmp_path / "run/wandb").glob("offline-run-*")
    assert list(run.glob("run-*.wandb"))
    assert list(run.rglob("*.png"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries that MLflow calls
def test_mlflow_itself_keeps_a_run_in_the_workdir(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="python -m pip install 'biggan-tf[mlflow]'")
    workdir = tmp_path / "run"
    config = a_training(tmp_path)
    assert loop.train(config, str(workdir), trackers=[opening.named("mlflow")]) == loop.DONE
    config.training.num_steps = 4
    assert loop.train(config, str(workdir), trackers=[opening.named("mlflow")]) == loop.DONE
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{workdir}/mlflow/mlflow.db")
    run = client.get_run((workdir / "mlflow_run_id.txt").read_text().strip())
    assert run.info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "d_loss")] == [1, 2, 3, 4]
    assert list((workdir / "mlflow/files").rglob("*.png"))
