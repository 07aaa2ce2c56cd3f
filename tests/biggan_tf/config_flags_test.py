"""The command line of the binaries, as a person meets it."""

import json
from pathlib import Path

import pytest


def test_dry_run_prints_one_json_object(commands):
    done = commands.run("biggan_tf.train", "--config=configs/smoke.py", "--config.training.batch_size=32", "--dry_run")
    assert done.status == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["policy"]["asked"] == "auto"
    assert report["policy"]["resolved"] == report["config"]["model"]["policy"]
    assert report["policy"]["resolved"] in ("float32", "mixed_bfloat16")
    assert report["policy"]["reason"]
    assert report["config"]["training"]["batch_size"] == 32
    assert report["parameters"]["generator"] > 0
    assert report["memory_bytes_per_replica"]["total"] > 0


def test_dry_run_shows_what_a_run_that_has_begun_goes_on_with(commands):
    run = Path(__file__).parents[1] / "data" / "version_0_1" / "run_float16"
    done = commands.run("biggan_tf.train", "--config=configs/smoke.py", f"--workdir={run}", "--dry_run")
    assert done.status == 0, done.stderr
    policy = json.loads(done.stdout)["policy"]
    assert policy == {"asked": "auto", "resolved": "mixed_float16", "reason": "the run had it at step 8"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=configs/smoke.py", "--config.model.resolutoin=64"], "did you mean model.resolution"),
        (["--config=configs/smoke.py", "--config.batch_size=1"], "did you mean training.batch_size?"),
        (["--config=configs/smok.py"], "did you mean configs/smoke.py"),
        (["--config=configs/smoke.py", "--config.model.resolution=abc"], "invalid literal for int"),
        (["--config=configs/smoke.py", "--config.model.resolution=100", "--dry_run"], "must be a power of two"),
        (["--config=configs/smoke.py", "--config.model.policy=atuo", "--dry_run"], "did you mean auto?"),
        (["--config=configs/smoke.py", "extra"], "All arguments must be flags"),
    ],
)
def test_a_users_mistake_shows_no_traceback(commands, arguments, message):
    done = commands.run("biggan_tf.train", *arguments)
    assert done.status != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
