"""`python -m biggan_tf.invert` as people run it, on a run of StyleGAN2."""

import json

import numpy as np
import pytest
from PIL import Image

from biggan_tf.config import to_dict
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny
from tests.families.registry import smallest


def checkpoint(folder, config):
    record = checkpoint_files.CheckpointSummary(3, 30, to_dict(config))
    Checkpoints(str(folder), config, GAN(config).state()).save(record)
    return f"--workdir={folder}"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("run"), smallest("stylegan2"))


@pytest.mark.slow
def test_a_picture_is_projected_and_the_folder_says_how(commands, workdir, tmp_path):
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    flags = (f"--input={tmp_path / 'grey.png'}", f"--output={tmp_path / 'found'}", "--features=none")
    done = commands.run("biggan_tf.invert", workdir, *flags, "--space=w+", "--steps=20", "--seed=3", "--search_noise")
    assert done.status == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'found'}\n"
    assert "search: 100%" in done.stderr
    with np.load(tmp_path / "found" / "w.npz") as archive:
        assert archive["w"].shape == (1, 4, 6)
        assert archive["seed"] == 3
        assert [archive[f"noise_{layer:02d}"].shape for layer in range(3)] == [(1, s, s, 1) for s in (4, 8, 8)]
    report = json.loads((tmp_path / "found" / "report.json").read_text())
    assert report["distances"]["pixels"] < report["distances"]["pixels_of_mean"]
    assert report["options"]["space"] == "w+"
    assert report["features"] is None
    with Image.open(tmp_path / "found" / "picture.png") as opened:
        assert opened.size == (8, 8)
    assert (tmp_path / "found" / "comparison.png").stat().st_size > 0


@pytest.mark.slow
def test_mistakes_are_one_clear_line(commands, workdir, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    output = f"--output={tmp_path / 'found'}"
    biggan = checkpoint(tmp_path / "biggan", tiny.config())
    for words, said in (
        ([workdir, f"--input={tmp_path / 'text.png'}", output], "--input must be a picture"),
        ([workdir, output], "--input"),
        ([biggan, f"--input={tmp_path / 'text.png'}", output], "styles w, such as a StyleGAN. Received: biggan"),
    ):
        done = commands.run("biggan_tf.invert", *words)
        assert done.status != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_sheets_of_styles_and_a_walk_are_drawn(commands, workdir, tmp_path):
    for kind, name in (("mixing", "mixing.png"), ("walk", "walk.webp")):
        flags = (f"--kind={kind}", "--rows=3", "--columns=2", "--frames=4", "--truncation=0.7", "--truncation_cutoff=2")
        done = commands.run("biggan_tf.sample", workdir, *flags, f"--output={tmp_path / name}")
        assert done.status == 0, done.stderr
    with Image.open(tmp_path / "walk.webp") as opened:
        assert opened.n_frames == 4
