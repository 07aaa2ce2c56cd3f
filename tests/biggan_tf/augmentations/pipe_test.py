"""The whole pipe of ADA: what holds for every group of transforms."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations.config import TRANSFORM_GROUPS
from biggan_tf.augmentations.pipe import AugmentationPipe
from biggan_tf.training.round import ReplicaRandom

IMAGES = tf.constant(np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)))
KEYS = [tf.constant([3, 4], tf.int64)]
every_group = pytest.mark.parametrize("group", TRANSFORM_GROUPS["bgcfnc"])


def pipe(*groups):
    return AugmentationPipe(dict.fromkeys(groups, 1.0))


def changed(images, probability, *groups):
    return pipe(*groups)(images, ReplicaRandom(KEYS, [images.shape[0]]), probability)


def test_probability_0_changes_nothing():
    np.testing.assert_allclose(changed(IMAGES, 0.0, *TRANSFORM_GROUPS["bgcfnc"]), IMAGES, atol=1e-12)


@every_group
def test_gradient_is_the_slope(group):
    weights, direction = (tf.constant(np.random.default_rng(i).standard_normal(IMAGES.shape)) for i in (1, 2))
    with tf.GradientTape() as tape:
        tape.watch(IMAGES)
        value = tf.reduce_sum(weights * changed(IMAGES, 0.9, group))
    slope = float(tf.reduce_sum(tape.gradient(value, IMAGES) * direction))
    up, down = (float(tf.reduce_sum(weights * changed(IMAGES + s * direction, 0.9, group))) for s in (1e-4, -1e-4))
    assert (up - down) / 2e-4 == pytest.approx(slope, rel=1e-6)


@every_group
def test_rows_are_changed_in_ways_of_their_own(group):
    rows = changed(tf.repeat(IMAGES[:1], 4, axis=0), 1.0, group).numpy()
    assert len({np.round(row, 6).tobytes() for row in rows}) > 1


def test_a_group_may_have_a_share_of_the_probability():
    rare = AugmentationPipe({"color": 0.0, "cutout": 1.0})(IMAGES, ReplicaRandom(KEYS, [4]), 1.0).numpy()
    assert ((rare == IMAGES.numpy()) | (rare == 0)).all()
    assert (rare == 0).any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_images_are_changed_in_float32(dtype):
    narrow = tf.cast(IMAGES, dtype)
    got = changed(narrow, 1.0, *TRANSFORM_GROUPS["bgcfnc"])
    assert got.dtype == dtype
    expected = tf.cast(changed(tf.cast(narrow, tf.float32), 1.0, *TRANSFORM_GROUPS["bgcfnc"]), dtype)
    np.testing.assert_array_equal(tf.cast(got, tf.float32), tf.cast(expected, tf.float32))


class Stored:
    """Numbers that were drawn before; the random numbers of TensorFlow differ under XLA."""

    def __init__(self, draws):
        self.draws = iter(draws)

    def uniform(self, *shape):
        return next(self.draws)

    normal = uniform


class Recorded:
    """Notes what is drawn."""

    def __init__(self):
        self.draws, self.random = [], ReplicaRandom(KEYS, [4])

    def uniform(self, *shape):
        self.draws.append(self.random.uniform(*shape))
        return self.draws[-1]

    def normal(self, *shape):
        self.draws.append(self.random.normal(*shape))
        return self.draws[-1]


@pytest.mark.slow
def test_xla_gives_the_same_images():
    recorded, all_groups = Recorded(), pipe(*TRANSFORM_GROUPS["bgcfnc"])
    expected = all_groups(IMAGES, recorded, 0.8)
    compiled = tf.function(lambda x: all_groups(x, Stored(recorded.draws), 0.8), jit_compile=True, autograph=False)
    np.testing.assert_allclose(compiled(IMAGES), expected, atol=1e-10)


PROGRAM = """
import sys
import jax
import keras
import numpy as np
assert keras.config.backend() == "jax"
from biggan_tf.augmentations.pipe import AugmentationPipe
case = np.load(sys.argv[1])
class Stored:
    def __init__(self):
        self.draws = iter(case[f"draw{i}"] for i in range(len(case.files) - 2))
    def uniform(self, *shape):
        return next(self.draws)
    normal = uniform
groups = ("blit", "geometric", "color", "filter", "noise", "cutout")
def changed(images):
    return AugmentationPipe(dict.fromkeys(groups, 1.0))(images, Stored(), 0.8)
def loss(images):
    return (changed(images) * case["probe"]).sum()
images = jax.numpy.asarray(case["images"])
np.savez(sys.argv[2], out=jax.jit(changed)(images), grad=jax.jit(jax.grad(loss))(images))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed (extra: jax)")
def test_jax_gives_the_same_images_and_gradients(tmp_path):
    recorded, probe = Recorded(), np.random.default_rng(1).standard_normal(IMAGES.shape)
    with tf.GradientTape() as tape:
        tape.watch(IMAGES)
        out = pipe(*TRANSFORM_GROUPS["bgcfnc"])(IMAGES, recorded, 0.8)
        value = tf.reduce_sum(out * probe)
    draws = {f"draw{i}": np.asarray(draw) for i, draw in enumerate(recorded.draws)}
    np.savez(tmp_path / "case.npz", images=IMAGES, probe=probe, **draws)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "case.npz", tmp_path / "jax.npz"],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_ENABLE_X64": "1",
            "PYTHONPATH": str(Path(__file__).parents[3]),
        },
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    got = np.load(tmp_path / "jax.npz")
    # On JAX, Keras 3.15's `ops.cos`, `ops.sin` and `ops.floor` round to float32.
    np.testing.assert_allclose(got["out"], out, rtol=0, atol=1e-5)
    np.testing.assert_allclose(got["grad"], tape.gradient(value, IMAGES), rtol=0, atol=1e-5)
