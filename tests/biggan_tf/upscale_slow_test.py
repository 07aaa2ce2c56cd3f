"""Photographs of full size: tiles against the picture at once, and the memory that the command takes."""

import os
import pathlib
import struct
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.inference.tiled_enlargement import TiledEnlarger
from biggan_tf.latents import noise_keys
from biggan_tf.training.checkpoints.loading import load_generator
from serving.export.served_enlarger import ServedEnlarger
from tests.biggan_tf.families.super_resolution import smallest
from tests.biggan_tf.families.super_resolution.networks_test import roused
from tests.biggan_tf.invert_test import checkpoint

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[2]


def picture(width, height):
    """Smooth colours with edges and a little grain, so that its file is small and no two places are equal."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    waves = np.stack([np.sin(columns / 90 + rows / 70), np.cos(rows / 50), np.sin(columns / 30)], axis=-1)
    edges = 40.0 * ((columns // 61 + rows // 43) % 2)[..., None]
    grain = np.random.default_rng(0).integers(0, 4, (height, width, 3))
    return (110 + 60 * waves + edges + grain).clip(0, 255).astype(np.uint8)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("upsampling", ["sub_pixel", "fir"])
def test_a_photograph_in_tiles_equals_the_photograph_at_once_to_a_grey_level(upsampling):
    small, generator = picture(1000, 700), roused(factor=4, upsampling=upsampling)
    for variable in generator.to_rgb.trainable_variables:
        variable.assign(0.05 * variable)  # so that colours are in about [-1, 1], as those of a trained network
    margin, cut = generator.context, 4 * generator.context
    mirrored = np.pad(small, [(margin, margin), (margin, margin), (0, 0)], mode="symmetric")
    levels = tf.constant(mirrored[None], tf.float32) / 127.5 - 1.0
    keys = noise_keys(tf.constant([3], tf.int64))
    at_once = tf.function(generator.enlarge, autograph=False)(levels, keys)[0, cut:-cut, cut:-cut]
    expected = np.clip(np.rint((np.asarray(at_once) + 1.0) * 127.5), 0, 255).astype(np.int16)
    ours = TiledEnlarger(generator)(small, 3)
    assert ours.shape == (2800, 4000, 3)
    assert np.abs(ours - expected).max() <= 1
    assert ours.std() > 20  # it is no even grey, of which all tiles would be equal


# A process begins with the peak of the one that starts it, so a small one stands between the test and the command.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen([sys.executable, "-m", *sys.argv[1:]], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def measured(source, file, output):
    """The most memory that the command took at once, in MiB."""
    words = ["biggan_tf.upscale", source, f"--input={file}", f"--output={output}", "--seed=3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    status, peak = map(int, done.stdout.split())
    assert status == 0
    return peak / 1024  # Linux counts in KiB


@pytest.mark.timeout(3600)
def test_the_memory_is_flat_with_a_run_and_with_its_export(tmp_path, monkeypatch):
    config = smallest.config()
    config.model = smallest.model(resolution=16)
    workdir = checkpoint(tmp_path / "run", config)
    module = ServedEnlarger(load_generator(tmp_path / "run")[0])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.functions())
    large = {}
    for name, source in (("run", workdir), ("export", f"--model={tmp_path / '1'}")):
        peaks = {}
        for width, height in ((1000, 700), (4000, 3000)):
            Image.fromarray(picture(width, height)).save(tmp_path / "small.png")
            large[name] = tmp_path / f"{name}.png"
            peaks[width] = measured(source, tmp_path / "small.png", large[name])
            with open(large[name], "rb") as file:
                assert struct.unpack(">II", file.read(24)[16:]) == (2 * width, 2 * height)
        # docs/how_to/super_resolution.md has these figures; -s shows them.
        sys.stdout.write(f"{name}: {peaks[1000]:.0f} and {peaks[4000]:.0f} MiB\n")
        # The small picture has 34 MiB, which is there once; the large one has 137.
        assert peaks[4000] - peaks[1000] < 110
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(large["run"]) as ours, Image.open(large["export"]) as theirs:
        for top in range(0, 6000, 1000):
            box = (0, top, 8000, top + 1000)
            assert np.abs(np.asarray(ours.crop(box)).astype(np.int16) - np.asarray(theirs.crop(box))).max() <= 1
