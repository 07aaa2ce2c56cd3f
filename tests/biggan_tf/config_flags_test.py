"""The command line of the binaries, as a person meets it."""

import json

import pytest


def test_dry_run_prints_one_json_object(commands):
    done = commands.run("biggan_tf.train", "--config=configs/smoke.py", "--config.training.batch_size=32", "--dry_run")
    assert done.status == 0, done.stderr
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
def test_a_users_mistake_shows_no_traceback(commands, arguments, message):
    done = commands.run("biggan_tf.train", *arguments)
    assert done.status != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
