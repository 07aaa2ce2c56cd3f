"""Every command that is given a place that it cannot reach says it in one sentence, and creates nothing."""

import importlib.util
import os
import re

import pytest
from apache_beam.io.filesystems import FileSystems

from biggan_tf.config import ConfigError
from pipeline.errors import UsageError
from pipeline.sources import beam_files
from pipeline.staged.config import PipelineConfig
from serving.server import config_files
from serving.server.status import ServingError
from tests.command_server import ROOT
from tests.data import made_data

PLACE = "s3://bucket/a"
RECIPE = f"--config={ROOT / 'configs' / 'smoke.py'}"
DEMO = f"--config={ROOT / 'configs' / 'pipeline_demo.py'}"
TENSORFLOWS, LOCAL = "must be a local path or gs://BUCKET/FOLDER, since TensorFlow", "must be a local path. Received"


@pytest.mark.parametrize(
    ("flag", "must", "status", "words"),
    [
        ("--workdir", TENSORFLOWS, 2, ["biggan_tf.train", RECIPE, "--config.data.path=x"]),
        ("--config.data.path", TENSORFLOWS, 2, ["biggan_tf.train", RECIPE, "--workdir=x"]),
        ("--config.data.path", TENSORFLOWS, 2, ["biggan_tf.train", RECIPE, "--workdir=x", "--dry_run"]),
        ("--init_from", TENSORFLOWS, 2, ["biggan_tf.train", RECIPE, "--workdir=x"]),
        ("--output", TENSORFLOWS, 1, ["serving.export", "--workdir=x"]),
        ("--workdir", TENSORFLOWS, 1, ["serving.export", "--output=x"]),
        ("--workdir", TENSORFLOWS, 2, ["biggan_tf.evaluate"]),
        ("--output", TENSORFLOWS, 2, ["biggan_tf.evaluate", "--workdir=x"]),
        ("--images", LOCAL, 2, ["biggan_tf.evaluate"]),
        ("--data", TENSORFLOWS, 2, ["biggan_tf.sample", "--workdir=x", "--output=x.png"]),
        ("--output", LOCAL, 2, ["biggan_tf.sample", "--workdir=x"]),
        ("--workdir", TENSORFLOWS, 2, ["biggan_tf.analyse"]),
        ("--output", LOCAL, 2, ["biggan_tf.invert", "--workdir=x", "--input=x.png"]),
        ("--output", TENSORFLOWS, 2, ["biggan_tf.upscale", "--workdir=x", "--input=x.png"]),
        ("--output", LOCAL, 2, ["biggan_tf.save_preset", "--workdir=x"]),
        ("--output", LOCAL, 2, ["biggan_tf.study", "all"]),
        ("--output", LOCAL, 2, ["biggan_tf.compare", f"--config={ROOT / 'configs' / 'compare_cifar10.py'}"]),
        ("--output", LOCAL, 2, ["biggan_tf.search", f"--config={ROOT / 'configs' / 'search_shapes.py'}"]),
        ("--pipeline_root", LOCAL, 2, ["pipeline.run", DEMO]),
        ("--pipeline_root", LOCAL, 2, ["pipeline.run", "--show"]),
        ("--config.pusher.destination", LOCAL, 1, ["pipeline.run", DEMO, "--pipeline_root=x"]),
        ("--output", LOCAL, 1, ["pipeline.demo"]),
        ("--output", "must be a local folder", 1, ["serving.client", "--labels=0"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value if str(value).startswith("--") else "",
)
def test_a_command_refuses_it_and_creates_nothing(commands, tmp_path, flag, must, status, words):
    finished = commands.run(*words, f"{flag}={PLACE}", cwd=tmp_path)
    sentences = [line for line in finished.stderr.splitlines() if PLACE in line]
    assert len(sentences) == 1, finished.stderr
    assert must in sentences[0]
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""
    assert finished.status == status
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--workdir=FILE/run", "--config.data.path=data"], 2, "--workdir must name a folder.*FILE/run"),
        (["--workdir=run", "--config.data.path=gs://bucket/x"], 2, "data manifest gs://bucket/x/manifest.json cannot"),
        (
            ["--workdir=gs://bucket/run", "--config.data.path=data"],
            74,
            "Storage must read and write(.|\n)*gs://bucket/run",
        ),
    ],
    ids=["below a file", "data out of reach", "workdir out of reach"],
)
def test_a_training_tells_of_a_place_that_it_cannot_use(commands, tmp_path, flags, status, said):
    made_data.write(tmp_path / "data", resolution=32, num_classes=10)
    (tmp_path / "FILE").write_text("")
    # No name ends in .invalid (RFC 2606), which is told at once; a port that refuses would be tried for minutes.
    proxy = "http://proxy.invalid:9"
    nowhere = {"https_proxy": proxy, "http_proxy": proxy, "NO_GCE_CHECK": "true"}
    finished = commands.run("biggan_tf.train", "--config=smoke", *flags, cwd=tmp_path, environment=nowhere)
    assert "Traceback" not in finished.stderr
    assert re.search(said, finished.stderr), finished.stderr
    assert finished.status == status
    assert sorted(os.listdir(tmp_path)) == ["FILE", "data"]


def test_a_preset_goes_to_no_place_where_no_command_reads_it(commands, tmp_path):
    finished = commands.run("biggan_tf.save_preset", "--workdir=x", "--output=gs://bucket/a", cwd=tmp_path)
    assert finished.status == 2
    assert f"--output {LOCAL}: gs://bucket/a; " in finished.stderr
    assert os.listdir(tmp_path) == []


def test_the_server_refuses_it_instead_of_waiting_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = config_files.single_model("biggan", PLACE)
    with pytest.raises(ServingError, match=f"must be a folder of this machine; got '{PLACE}'. Mount it"):
        config_files.validate_models(config, {}, is_start=True)
    assert os.listdir() == []


def test_the_destination_of_models_is_refused_with_the_configuration():
    config = PipelineConfig()
    config.pusher.destination = PLACE
    with pytest.raises(ConfigError, match=r"pusher\.destination must be a local path\. Received: s3://bucket/a; mount"):
        config.validate()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://bucket/a", r"for which boto3 is missing; python -m pip install 'biggan-tf\[aws\]'\."),
        ("gs://bucket/a", r"Received: gs://bucket/a; python -m pip install 'biggan-tf\[gcp\]'\."),
        ("hdfs://host/a", r"for which hdfs is missing; python -m pip install 'apache-beam\[hadoop\]'\."),
        ("foo://a", r"Received: foo://a; name a local folder, gs:// or s3://\."),
        ("s3:/bucket/a", r"Received: s3:/bucket/a; write two slashes\."),
    ],
)
@pytest.mark.parametrize("flag", ["input", "output"])
def test_the_preprocessing_says_what_to_install(monkeypatch, flag, place, message):
    def nowhere(path):
        raise ValueError("what Beam says without its library for gs://")

    if place.startswith("gs"):
        monkeypatch.setattr(FileSystems, "get_filesystem", nowhere)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("boto3", "hdfs") else find_spec(name)
    )
    with pytest.raises(UsageError, match=f"--{flag} must be .*{message}"):
        beam_files.require_file_system(flag, place)


@pytest.mark.parametrize("place", ["s3:/bucket/a", "foo://a"])
def test_the_preprocessing_takes_no_such_place_for_a_folder(commands, tmp_path, place):
    words = ["pipeline.preprocess", "--source=shapes", "--num_shapes=20", f"--output={place}"]
    finished = commands.run(*words, cwd=tmp_path)
    assert finished.status == 2
    assert finished.stderr.count(place) == 1, finished.stderr
    assert finished.stdout == ""
    assert os.listdir(tmp_path) == []


def test_the_preprocessing_says_what_hdfs_lacks(monkeypatch):
    def without_host(path):
        raise ValueError("hdfs_host is not set")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(FileSystems, "get_filesystem", without_host)
    with pytest.raises(UsageError, match=r"Beam can reach\. Received: hdfs://host/a: hdfs_host is not set\."):
        beam_files.require_file_system("output", "hdfs://host/a")
