"""Stops and kills a comparison of real processes, and looks whether it goes on as if nothing had happened."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from biggan_tf.comparison import progress
from biggan_tf.folder_lock import FolderInUseError, FolderLock
from biggan_tf.training.checkpoints import files as checkpoint_files
from tests.biggan_tf.training import tiny
from tests.data import made_data

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]
STEPS = 1_500
RECIPE = f"""
from biggan_tf.config.comparison import BudgetConfig
from tests.biggan_tf.comparison import toy

def get_config():
    made = toy.comparison("data", budget=BudgetConfig(images={8 * STEPS}))
    made.entries = made.entries[1:]
    made.entries[0].recipe.checkpoints.every_steps = 200
    return made
"""


@pytest.fixture
def place(tmp_path):
    made_data.write(tmp_path / "data", num_shards=2, per_shard=30)
    (tmp_path / "toy.py").write_text(RECIPE)
    return tmp_path


def start(place):
    command = [sys.executable, "-m", "biggan_tf.compare", "--config=toy.py", "--output=out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    with open(place / "log", "ab") as log:
        return subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log)


def wait_for(condition, process, timeout_s=500):
    end = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


def is_free(workdir):
    try:
        with FolderLock(workdir):
            return True
    except FolderInUseError:
        return False


@pytest.mark.timeout(900)
def test_a_comparison_that_is_stopped_and_killed_goes_on_to_the_bit(place, commands):
    workdir = place / "out/runs/logistic-0"
    with contextlib.ExitStack() as stack:
        process = start(place)
        stack.callback(process.kill)
        wait_for(lambda: progress.newest_report(str(workdir)), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 75
        (stopped_at,) = checkpoint_files.list_steps(str(workdir))[-1:]
        assert 0 < stopped_at < STEPS

        process = start(place)
        stack.callback(process.kill)
        wait_for(lambda: (progress.newest_report(str(workdir)) or {"step": 0})["step"] > stopped_at, process)
        process.kill()  # the training notices it, saves and ends
        process.wait()
        end = time.monotonic() + 120
        while not is_free(workdir):
            assert time.monotonic() < end
            time.sleep(0.1)
        assert stopped_at < checkpoint_files.list_steps(str(workdir))[-1] < STEPS

        process = start(place)
        stack.callback(process.kill)
        assert process.wait(timeout=600) == 0, (place / "log").read_text()
    straight = commands.run("biggan_tf.train", f"--config={workdir}/recipe.py", "--workdir=straight", cwd=place)
    assert straight.status == 0, straight.stderr
    assert tiny.checkpoint_digest(workdir, STEPS) == tiny.checkpoint_digest(place / "straight", STEPS)
    assert json.loads((place / "out/results.json").read_text())["entries"][0]["runs"][0]["step"] == STEPS
    assert (place / "out/comparison.html").exists()
