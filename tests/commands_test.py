"""Every command: a help page for one screen, and no traceback for a user's mistake."""

import os
import pathlib
import subprocess
import sys
import tomllib

import pytest
import tensorflow as tf

import biggan_tf

ROOT = pathlib.Path(__file__).parents[1]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
SCREEN = 50

# One flag that the page must show, for each command.
OWN_FLAGS = {
    "biggan-analyse": "--workdir",
    "biggan-compare": "--output",
    "biggan-search": "--output",
    "biggan-invert": "--input",
    "biggan-client": "--target",
    "biggan-demo": "--output",
    "biggan-evaluate": "--metrics",
    "biggan-export": "--precision",
    "biggan-pipeline": "--pipeline_root",
    "biggan-preprocess": "--resolutions",
    "biggan-sample": "--classes",
    "biggan-save-preset": "--licence",
    "biggan-serve": "--model_base_path",
    "biggan-study": "--list",
    "biggan-train": "--config",
    "biggan-upscale": "--output",
}


def test_the_table_has_every_command():
    assert set(SCRIPTS) == set(OWN_FLAGS)


@pytest.mark.slow
@pytest.mark.parametrize("script", OWN_FLAGS)
def test_help_fits_a_screen(script, commands):
    module = SCRIPTS[script].partition(":")[0].removesuffix(".__main__")
    shown = commands.run(module, "--help")
    assert shown.status == 0
    assert shown.stderr == ""
    assert OWN_FLAGS[script] in shown.stdout
    assert len(shown.stdout.splitlines()) <= SCREEN
    assert "alsologtostderr" not in shown.stdout
    assert commands.run("--help", script=(script, SCRIPTS[script])).stdout == shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize("script", OWN_FLAGS)
def test_every_command_tells_the_versions(script, commands):
    module = SCRIPTS[script].partition(":")[0].removesuffix(".__main__")
    told = commands.run(module, "--version")
    assert told.status == 0, told.stderr
    # Our server answers as TensorFlow Serving does, "TensorFlow ModelServer: ...".
    assert told.stdout.splitlines()[0].endswith(f"biggan_tf {biggan_tf.__version__}")
    assert (tf.__version__ in told.stdout) == (script != "biggan-client"), "the client needs no TensorFlow"


@pytest.mark.slow
def test_a_command_starts_without_notes_of_tensorflow():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [sys.executable, "-m", "biggan_tf.sample", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=True)
    assert result.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["biggan_tf.train"], "--config"),
        (["biggan_tf.train", "--config=configs/bigan_128.py"], "did you mean biggan_128"),
        (["biggan_tf.train", "--config=configs/smoke.py"], "--workdir"),
        (["biggan_tf.train", "--config=configs/smoke.py", "--workdir=WORK"], "data.path"),
        (
            ["biggan_tf.train", "--config=configs/smoke.py", "--workdir=FILE", "--config.data.path=WORK"],
            "manifest.json",
        ),
        (["biggan_tf.train", "--config=configs/smoke.py", "--workdr=WORK"], "workdr"),
        (["biggan_tf.train", "--config=configs/smoke.py", "--config.training.batchsize=8"], "training.batch_size"),
        (
            ["biggan_tf.train", "--config=smoke", "--workdir=WORK", "--config.data.path=WORK", "--tracker=tensorbord"],
            "mlflow, wandb",
        ),
        (["biggan_tf.evaluate"], "--workdir"),
        (["biggan_tf.evaluate", "--workdir=NONE"], "NONE"),
        (["biggan_tf.evaluate", "--workdir=FILE", "--metrics=fid"], "fid"),
        (["biggan_tf.sample", "--workdir=NONE"], "NONE"),
        (["biggan_tf.sample", "--workdir=WORK", "--output=sheet.jpg"], "sheet.jpg"),
        (["biggan_tf.sample", "--kind=clases"], "clases"),
        (["biggan_tf.analyse"], "--workdir"),
        (["biggan_tf.analyse", "--workdir=NONE"], "NONE"),
        (["biggan_tf.compare"], "--config"),
        (["biggan_tf.compare", "--config=configs/compare_cifr10.py"], "did you mean compare_cifar10"),
        (["biggan_tf.compare", "--config=configs/smoke.py", "--output=WORK"], "ComparisonConfig"),
        (["biggan_tf.compare", "--config=configs/compare_cifar10.py"], "--output"),
        (["biggan_tf.compare", "--config=configs/compare_cifar10.py", "--output=WORK"], "data.path"),
        (["biggan_tf.compare", "--config=configs/compare_cifar10.py", "--config.budget.hours=1"], "budget.images"),
        (["biggan_tf.search", "--config=configs/search_shape.py"], "did you mean search_shapes"),
        (["biggan_tf.search", "--config=configs/smoke.py", "--output=WORK"], "SearchConfig"),
        (["biggan_tf.search", "--config=configs/search_shapes.py"], "--output"),
        (["biggan_tf.search", "--config=configs/search_shapes.py", "--config.candidates=2"], "round"),
        (["biggan_tf.study", "--output=WORK"], "NAME"),
        (["biggan_tf.study", "demodulation"], "--output"),
        (["biggan_tf.study", "demodulaton", "--output=WORK"], "did you mean demodulation"),
        (["biggan_tf.study", "demodulation", "--output=WORK", "--workdir=NONE"], "no trained ones"),
        (["biggan_tf.study", "all", "--output=WORK", "--workdir=NONE"], "NONE"),
        (["pipeline.preprocess"], "--source"),
        (["pipeline.preprocess", "--source=shape", "--output=WORK/data"], "shape"),
        (["pipeline.preprocess", "--source=folders", "--input=NONE", "--output=WORK/data"], "NONE"),
        (["pipeline.preprocess", "--source=shapes", "--output=FILE/data", "--resolutions=32"], "FILE"),
        (["pipeline.preprocess", "--source=shapes", "--output=WORK/data", "--num_shapes=x"], "num_shapes"),
        (["pipeline.run", "--config=configs/pipeline_demo.py"], "--pipeline_root"),
        (["pipeline.run", "--config=configs/pipeline_dmo.py", "--pipeline_root=WORK"], "pipeline_dmo"),
        (["serving.export", "--output=WORK/models"], "--workdir"),
        (["serving.export", "--workdir=NONE", "--output=WORK/models"], "NONE"),
        (["serving.server", "--port=x"], "port"),
        (["serving.server"], "model_base_path"),
        (["serving.server", "--port=1", "--model_config_file=NONE"], "NONE"),
        (["serving.client", "--target=localhost:1", "--timeout_s=1"], "localhost:1"),
        (["serving.client", "--labels=cat", "--target=localhost:1"], "Is a server listening there"),
        (["serving.client", "--seeds=x"], "x"),
    ],
    ids=" ".join,
)
def test_a_mistake_ends_in_one_clear_message(words, said, commands, tmp_path):
    (tmp_path / "FILE").write_text("")
    (tmp_path / "WORK").mkdir()
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    result = commands.run(*words, cwd=tmp_path)
    told = result.stderr + result.stdout
    assert result.status not in (0, -6, -11)
    assert "Traceback" not in told
    assert said in told
