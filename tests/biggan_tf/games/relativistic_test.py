"""The relativistic games against NumPy, and that pairs share the class of their real image."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config.parts import load
from tests.biggan_tf.games.fixed_round import FixedRound

REAL, FAKE = np.array([-2.0, -0.5, 0.5, 3.0]), np.array([-3.0, -0.2, 0.1, 2.0])


def _softplus(x):
    return np.log1p(np.exp(x))


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_pairs_are_compared_as_numpy_does():
    game = load("game", "relativistic")().build()
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        value = game.discriminator(real, fake)
    np.testing.assert_allclose(value, _softplus(FAKE - REAL).mean(), rtol=1e-14)
    slope = _sigmoid(FAKE - REAL) / 4
    for got, expected in zip(tape.gradient(value, [real, fake]), (-slope, slope), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_averages_are_compared_as_numpy_does():
    game = load("game", "relativistic_average")().build()
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        value = game.discriminator(real, fake)
    of_real, of_fake = FAKE.mean() - REAL, FAKE - REAL.mean()
    np.testing.assert_allclose(value, _softplus(of_real).mean() + _softplus(of_fake).mean(), rtol=1e-14)
    by_real = -_sigmoid(of_real) / 4 - _sigmoid(of_fake).mean() / 4
    by_fake = _sigmoid(of_fake) / 4 + _sigmoid(of_real).mean() / 4
    for got, expected in zip(tape.gradient(value, [real, fake]), (by_real, by_fake), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["relativistic", "relativistic_average", "r3gan"])
def test_gs_loss_is_ds_with_exchanged_roles_on_fakes_of_the_real_classes(kind):
    round_ = FixedRound()
    game = load("game", kind)().build()
    loss, _ = game.generator_loss(round_)
    fake, real = round_.discriminate(round_.generate(round_.real.labels), round_.real_batch())
    np.testing.assert_allclose(loss, game.discriminator(fake.logits, real.logits), rtol=1e-12)
    assert round_.labels_of_fakes[0] is round_.real.labels


def test_logits_of_half_precision_are_widened():
    logits = tf.constant([1.0, -1.0], tf.float16)
    for kind in ("relativistic", "relativistic_average"):
        assert load("game", kind)().build().discriminator(logits, logits).dtype == "float32"


def test_the_weight_of_r3gans_penalties_follows_a_cosine():
    game = load("game", "r3gan")(gamma=2.0, final_gamma=0.2, schedule_images=100).build()
    for seen, expected in ((0, 2.0), (50, 1.1), (100, 0.2), (1000, 0.2)):
        weights = game.gradient_weights(FixedRound(images_seen=seen))
        np.testing.assert_allclose(weights, [expected, expected], rtol=1e-6)
    assert load("game", "r3gan")(gamma=0.7).build().gradient_weights(FixedRound()) == (0.7, 0.7)
