"""Kills trainings and looks whether they go on as if nothing had happened."""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import signal
import time

import pytest
import tensorflow as tf

from biggan_tf.training.checkpoints import files
from tests.biggan_tf.training.fork_server import ForkServer
from tests.data import made_data

pytestmark = pytest.mark.slow

FIELDS = {
    "training.num_steps": 20,
    "training.ema_decay": 0.9,
    "checkpoints.every_steps": 10,
    "monitoring.log_every_steps": 1,
    "monitoring.sample_every_steps": 20,
}
TWO_REPLICAS = {"distribution.strategy": "mirrored", "distribution.num_replicas": 2}


@pytest.fixture(scope="module")
def server():
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=60)
    return folder


def digest(workdir, step):
    """Of every tensor in a checkpoint: weights, optimizers, EMA, u, statistics, keys, progress."""
    reader = tf.train.load_checkpoint(os.path.join(files.folder_of(str(workdir), step), files.STATE))
    content = hashlib.sha256()
    names = [name for name in sorted(reader.get_variable_to_shape_map()) if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert len(names) > 50
    for name in names:
        content.update(name.encode() + reader.get_tensor(name).tobytes())
    return content.hexdigest()


def losses(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["d_loss"], line["g_loss"]) for line in lines]


def wait_for(condition, timeout_s=900):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("fields", [{}, TWO_REPLICAS, {"training.accumulation_steps": 2}], ids=["one", "two", "micro"])
def test_resume_after_kill_equals_the_run_that_was_not_killed(tmp_path, server, data, fields):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert server.train(straight, data, **FIELDS, **fields) == 0
    # It pauses beyond the checkpoint, so that no test machine is too slow to kill it before its end.
    pid = server.start(killed, data, pause_after=13, **FIELDS, **fields)
    wait_for(lambda: 10 in files.list_steps(str(killed)))
    os.kill(pid, signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    assert files.list_steps(str(killed)) == [10]
    assert server.train(killed, data, **FIELDS, **fields) == 0
    assert digest(killed, 20) == digest(straight, 20)
    assert losses(killed) == losses(straight)


def test_kills_at_random_moments_never_break_the_workdir(tmp_path, server, data):
    """Ten kills, over as many runs as they take; a run that gets to its end equals the one left alone."""
    fields = {**FIELDS, "training.num_steps": 40, "checkpoints.every_steps": 2}
    begin = time.monotonic()
    assert server.train(tmp_path / "straight", data, **fields) == 0
    whole_s = time.monotonic() - begin
    moments = random.Random(0)
    kills = runs = 0
    while kills < 10:
        workdir = tmp_path / f"killed_{runs}"
        pid = server.start(workdir, data, **fields)
        # From before the first step to well into the steps and their checkpoints.
        time.sleep(moments.uniform(0.1, 0.9) * whole_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        status = server.wait()
        error = pathlib.Path(f"{workdir}.error")
        assert status in (0, -signal.SIGKILL), error.read_text() if error.exists() else status
        kills += status == -signal.SIGKILL
        folder = pathlib.Path(workdir, files.FOLDER)
        for name in os.listdir(folder) if folder.exists() else []:
            if name.startswith("step-"):
                assert files.damage(str(folder / name)) is None
        if status == 0:
            assert digest(workdir, 40) == digest(tmp_path / "straight", 40)
            runs += 1
    assert server.train(workdir, data, **fields) == 0
    assert digest(workdir, 40) == digest(tmp_path / "straight", 40)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_saves_and_ends_with_the_status_that_says_so(tmp_path, server, data, number):
    fields = {**FIELDS, "training.num_steps": 100_000, "checkpoints.every_steps": 100_000}
    pid = server.start(tmp_path, data, **fields)
    while not (tmp_path / "metrics.jsonl").exists():
        time.sleep(0.01)
    os.kill(pid, number)
    assert server.wait() == 75
    (step,) = files.list_steps(str(tmp_path))
    assert losses(tmp_path)[-1][0] == step
