"""`python -m biggan_tf.train` as people run it: what is missing is said before the training begins."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from biggan_tf import files
from biggan_tf.data import input_pipeline
from biggan_tf.evaluation.extractors import small_classifier
from tests.data import made_data

RECIPE = """
from tests.biggan_tf.training import tiny

def get_config():
    config = tiny.toy(num_steps=1)
    config.data.path = "data"
    config.evaluation.every_steps = 1
    config.evaluation.num_samples = 8
    return config
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a recipe and its data."""
    (tmp_path / "recipe.py").write_text(RECIPE)
    made_data.write(tmp_path / "data")
    return tmp_path


@pytest.mark.parametrize(
    ("recipe", "evaluation", "text"),
    [
        ("recipe.py", {"features": "inception"}, "features=inception needs. Received: '', which is no file"),
        (
            "recipe.py",
            {"features": "classifier", "features_path": "none.npz"},
            "features=classifier needs. Received: 'none.npz', which is no file",
        ),
        (
            "super_resolution_cifar10",
            {"features": "inception", "metrics": ("psnr", "map_distance"), "every_steps": 1},
            "features=inception needs. Received: '', which is no file",
        ),
    ],
)
def test_weights_of_the_evaluations_must_be_there_before_the_training(commands, place, recipe, evaluation, text):
    flags = [f"--config={recipe}", "--config.data.path=data", "--workdir=run"]
    flags += [f"--config.evaluation.{name}={value}" for name, value in evaluation.items()]
    done = commands.run("biggan_tf.train", *flags, cwd=place)
    assert done.status == 2
    assert f"features_path must name the file of weights that evaluation.{text}" in done.stderr
    assert "give one by --config.evaluation.features_path=FILE." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place / "run").exists()


def with_noted_connection():
    """The command, but for its connection to the other workers: it ends there."""
    from biggan_tf import train
    from biggan_tf.config import ConfigError
    from biggan_tf.training import distribution

    def connect(config):
        raise ConfigError(["connecting"])

    distribution.connect = connect
    train.run()


@pytest.mark.parametrize(("worker", "said"), [(0, "features_path must name the file of weights"), (1, "connecting")])
def test_weights_of_the_evaluations_must_be_there_for_the_first_worker_alone(commands, place, worker, said):
    task = {"cluster": {"worker": ["localhost:1", "localhost:2"]}, "task": {"type": "worker", "index": worker}}
    flags = ["--config=recipe.py", "--workdir=run", "--config.distribution.strategy=multi_worker"]
    flags.append("--config.evaluation.features=inception")
    script = ("biggan-train", "tests.biggan_tf.train_test:with_noted_connection")
    done = commands.run(*flags, script=script, cwd=place, environment={"TF_CONFIG": json.dumps(task)})
    assert done.status == 2, done.stderr[-2000:]
    assert said in done.stderr


def test_evaluations_of_other_images_than_before_end_in_one_message(commands, place):
    batches = input_pipeline.one_pass(str(place / "data"), 8).repeat()
    trained = small_classifier.train(batches, 8, ("class_0", "class_1", "class_2"), num_steps=1)
    small_classifier.save(trained, place / "classifier.npz")
    files.write_json(files.join(place / "run" / "evaluation", "reference.json"), {"images": {"split": "test"}})
    flags = ("--config.evaluation.features=classifier", "--config.evaluation.features_path=classifier.npz")
    done = commands.run("biggan_tf.train", "--config=recipe.py", "--workdir=run", *flags, cwd=place)
    assert done.status == 2, done.stderr[-2000:]
    assert "says what this run's evaluations compare with" in done.stderr
    assert "split: 'test' and 'train'" in done.stderr
    assert "Traceback" not in done.stderr
    noted = json.loads((place / "run" / "evaluation" / "reference.json").read_text())
    assert noted == {"images": {"split": "test"}}, "what was noted stays"


def with_noted_end():
    """The command, which says when it ends as a worker among others does, and does not end at once."""
    from biggan_tf import train
    from biggan_tf.training import coordination

    def note(status):
        sys.stdout.write(f"ended as a worker, with {status}")
        sys.exit(status)

    coordination.end_process = note
    train.run()


def test_a_worker_whose_configuration_is_refused_late_ends_as_all_workers_do(commands, place):
    flags = ["--config=recipe.py", "--workdir=run", "--config.distribution.strategy=multi_worker"]
    script = ("biggan-train", "tests.biggan_tf.train_test:with_noted_end")
    done = commands.run(*flags, script=script, cwd=place, environment={"TF_CONFIG": "{}"})
    assert done.status == 2, done.stderr[-2000:]
    assert done.stdout == "ended as a worker, with 2"
    assert "needs TF_CONFIG such as" in done.stderr


def test_a_dry_run_counts_one_of_the_replicas(commands):
    flags = ("--config=configs/smoke.py", "--config.training.batch_size=32", "--dry_run")
    mirrored = ("--config.distribution.strategy=mirrored", "--config.distribution.num_replicas=2")
    done = commands.run("biggan_tf.train", *flags, *mirrored)
    assert json.loads(done.stdout)["memory_bytes_per_replica"]["micro_batch"] == 16, done.stderr
    done = commands.run("biggan_tf.train", *flags, *mirrored[:1], "--config.distribution.num_replicas=3")
    assert done.status == 2
    assert "training.batch_size must divide into 3 replicas" in done.stderr


def test_a_dry_run_passes_over_a_damaged_checkpoint(commands, tmp_path):
    shutil.copytree(Path(__file__).parents[1] / "data" / "version_0_1" / "run_float16", tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    shutil.copytree(folder / "step-00000008", folder / "step-00000009")
    os.truncate(folder / "step-00000009" / "run.json", 10)
    done = commands.run("biggan_tf.train", "--config=configs/smoke.py", f"--workdir={tmp_path / 'run'}", "--dry_run")
    assert done.status == 0, done.stderr
    assert json.loads(done.stdout)["policy"]["reason"] == "the run had it at step 8"
