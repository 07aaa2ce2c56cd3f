"""The public codes' own numbers for losses, penalties and schedules, against ours in float64.

Needs the parity cases; BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared).
"""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import OptimizerConfig, TrainingConfig
from biggan_tf.config.parts import load
from biggan_tf.games.consistency import mirrored_and_shifted
from biggan_tf.games.feature_matching import feature_distance
from biggan_tf.games.lecam import LogitAverages, lecam_penalty
from biggan_tf.games.multi_hinge import multi_hinge
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.games.top_k import mean_of_highest, num_kept
from biggan_tf.ops.cosine_schedule import cosine_schedule
from biggan_tf.training import schedules
from tests.biggan_tf.parity_cases import PARITY, needs_parity, nhwc, relative

FOLDER = PARITY / "objectives"
pytestmark = [pytest.mark.processor, needs_parity, pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no {FOLDER}")]
GAMES = {"vanilla": "non_saturating", "ls": "least_squares", "hinge": "hinge", "wasserstein": "wasserstein"}


@pytest.fixture(scope="module")
def io():
    return dict(np.load(FOLDER / "io.npz"))


@pytest.fixture(scope="module")
def settings():
    return json.loads((FOLDER / "settings.json").read_text())


def assert_equal(io, name, loss, inputs):
    tensors = {key: tf.constant(io[f"{name}/in/{key}"], "float64") for key in inputs}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(**tensors)
    assert relative(value, io[f"{name}/loss"]) < 1e-5
    for key, gradient in tape.gradient(value, tensors).items():
        assert relative(gradient, io[f"{name}/grad/{key}"]) < 1e-4


@pytest.mark.parametrize("name", sorted(GAMES))
def test_losses_are_the_public_codes(io, name):
    game = load("game", GAMES[name])().build()
    assert_equal(io, f"d_{name}", lambda real, fake: game.discriminator(real, fake), ("real", "fake"))
    assert_equal(io, f"g_{name}", lambda fake: game.generator(fake), ("fake",))


def test_the_hinge_of_all_classes_is_the_public_codes(io):
    labels = io["multi_hinge/in/labels"]
    assert_equal(io, "multi_hinge", lambda logits: tf.reduce_mean(multi_hinge(logits, labels)), ("logits",))


def test_lecam_is_the_public_codes(io, settings):
    averages = settings["lecam/penalty"]["average_real"], settings["lecam/penalty"]["average_fake"]
    assert_equal(io, "lecam/penalty", lambda real, fake: lecam_penalty(real, fake, *averages), ("real", "fake"))
    start, decay = settings["lecam"]["start"], settings["lecam"]["decay"]
    ours = LogitAverages(PenaltiesConfig(lecam_decay=decay, lecam_start_images=64 * start))
    for step, (real, fake, average_real, average_fake) in enumerate(io["lecam/history"]):
        ours.penalty(*(tf.constant([value], "float64") for value in (real, fake)), 64 * step)
        np.testing.assert_allclose([ours.real, ours.fake], [average_real, average_fake], rtol=1e-6)


def test_feature_matching_is_the_public_codes(io):
    names = ("real", "fake")
    assert_equal(io, "feature_matching", lambda real, fake: feature_distance(real, fake), names)


@pytest.mark.skipif(not (PARITY / "augmentation_32").is_dir(), reason="no augmentation_32")
def test_the_shift_of_consistency_is_studiogans():
    given = np.load(PARITY / "augmentation_32" / "io.npz")
    images = tf.constant(nhwc(given["images"]), tf.float64)
    # Where a pixel comes from, as the middles of the 9 parts of [0, 1) that ours are drawn from; ours is where it goes.
    down, right = (tf.constant((4.5 - given[f"cr/translate_{axis}"]) / 9) for axis in ("rows", "columns"))
    got = mirrored_and_shifted(images, tf.constant([False] * 3), down, right)
    np.testing.assert_allclose(got, nhwc(given["cr/out"]), atol=1e-6)


def test_the_highest_logits_are_the_public_codes(io):
    logits, kept = tf.constant(io["topk/in"]), len(io["topk/kept"])
    np.testing.assert_allclose(mean_of_highest(logits, logits, kept), io["topk/kept"].mean(), rtol=1e-6)
    config = load("game", "hinge")(top_k_decay=0.99, top_k_share=0.5, top_k_epoch_images=100)
    assert [int(num_kept(config, seen, logits)) for seen in (0, 99, 100, 1000, 100_000)] == [8, 8, 7, 7, 4]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_schedules_are_the_authors(io, settings, dtype):
    for name in ("learning_rate", "beta2", "gamma", "ema_images", "augment_p"):
        numbers = settings[f"schedule/{name}"]
        for seen, expected in zip(io["schedule/images_seen"], io[f"schedule/{name}"], strict=True):
            got = cosine_schedule(numbers["base"], numbers["final"], int(seen), int(numbers["total"]), dtype)
            assert keras.backend.standardize_dtype(got.dtype) == dtype
            # The authors' cosine near 1 has few digits itself.
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8 * numbers["final"])


def test_schedules_of_a_run_are_the_authors(io, settings):
    rate, beta_2 = settings["schedule/learning_rate"], settings["schedule/beta2"]
    numbers = OptimizerConfig(
        learning_rate=rate["base"],
        final_learning_rate=rate["final"],
        beta_2=beta_2["base"],
        final_beta_2=beta_2["final"],
        schedule_images=int(rate["total"]),
    )
    for index, seen in enumerate(io["schedule/images_seen"]):
        got = schedules.learning_rate(numbers, int(seen), "float64"), schedules.beta_2(numbers, int(seen), "float64")
        np.testing.assert_allclose(got, [io[f"schedule/{name}"][index] for name in ("learning_rate", "beta2")])


def test_the_averages_decay_is_the_public_codes(io, settings):
    numbers = settings["ema"]
    batch = numbers["batch_size"]
    for name, ratio in (("none", 0.0), ("0.05", 0.05)):
        config = TrainingConfig(ema_half_life_images=numbers["kimg"] * 1000, ema_warmup_ratio=ratio)
        for step, expected in zip(numbers["steps"], io[f"ema/decay_rampup_{name}"], strict=True):
            got = schedules.ema_decay(config, step, step * batch, batch, "float64")
            np.testing.assert_allclose(got, expected, rtol=1e-7)  # It was rounded to float32.
