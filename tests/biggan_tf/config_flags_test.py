"""The command line of the binaries, as a person meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _train(*arguments):
    command = [sys.executable, "-m", "biggan_tf.train", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_dry_run_prints_one_json_object():
    done = _train("--config=configs/smoke.py", "--config.training.batch_size=32", "--dry_run")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["config"]["training"]["batch_size"] == 32
    assert report["parameters"]["generator"] > 0
    assert report["memory_bytes_per_replica"]["total"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=configs/smoke.py", "--config.model.resolutoin=64"], "did you mean model.resolution"),
        (["--config=configs/smoke.py", "--config.batch_size=1"], "did you mean training.batch_size?"),
        (["--config=configs/smok.py"], "did you mean configs/smoke.py"),
        (["--config=configs/smoke.py", "--config.model.resolution=abc"], "invalid literal for int"),
        (["--config=configs/smoke.py", "--config.model.resolution=100", "--dry_run"], "must be a power of two"),
        (["--config=configs/smoke.py", "extra"], "All arguments must be flags"),
    ],
)
def test_a_users_mistake_shows_no_traceback(arguments, message):
    done = _train(*arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
