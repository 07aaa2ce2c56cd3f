"""`python -m biggan_tf.upscale` as people run it."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.inference.tiled_enlargement import TiledEnlarger
from biggan_tf.training.checkpoints.loading import load_generator
from serving.export.served_enlarger import ServedEnlarger
from tests.biggan_tf.families.super_resolution import smallest
from tests.biggan_tf.invert_test import checkpoint
from tests.families.registry import smallest as smallest_of

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("run"), smallest.config()


@pytest.mark.slow
def test_a_picture_is_enlarged_by_a_run_and_by_its_export(commands, run, tmp_path):
    folder, config = run
    workdir = checkpoint(folder, config)
    Image.fromarray(PIXELS).save(tmp_path / "small.png")
    generator = load_generator(folder)[0]
    expected = TiledEnlarger(generator)(PIXELS, 3)
    module = ServedEnlarger(generator)
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.functions())
    for source in (workdir, f"--model={tmp_path / '1'}"):
        output = tmp_path / "large.png"
        done = commands.run(
            "biggan_tf.upscale", source, f"--input={tmp_path / 'small.png'}", f"--output={output}", "--seed=3"
        )
        assert done.status == 0, done.stderr
        assert done.stdout == f"{output}\n"
        assert np.abs(np.asarray(Image.open(output)).astype(int) - expected).max() <= 1
        output.unlink()


@pytest.mark.slow
def test_mistakes_are_one_clear_line(commands, run, tmp_path):
    folder, config = run
    workdir = checkpoint(folder / "again", config)
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(PIXELS).save(tmp_path / "small.png")
    small, output = f"--input={tmp_path / 'small.png'}", f"--output={tmp_path / 'large.png'}"
    biggan = checkpoint(tmp_path / "biggan", smallest_of("biggan"))
    for words, said in (
        ([workdir, f"--input={tmp_path / 'text.png'}", output], "must be a PNG, JPEG or WebP file"),
        ([workdir, small, "--output=large.jpg"], "--output must be the name of a PNG file"),
        ([workdir, small, output, "--max_pixels=3499"], "from 1 to 3,499 pixels. Received: 70 x 50"),
        ([biggan, small, output], "such as super_resolution. Received: biggan"),
        ([f"--model={tmp_path}", small, output], "--model must be a version folder"),
    ):
        done = commands.run("biggan_tf.upscale", *words)
        assert done.status != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "large.png").exists()
