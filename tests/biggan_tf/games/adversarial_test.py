import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config.parts import kinds, load
from biggan_tf.games.config import AdversarialConfig, RelativisticConfig

REAL, FAKE = np.array([-2.0, -0.5, 0.5, 3.0]), np.array([-3.0, -0.2, 0.1, 2.0])


def _softplus(x):
    return np.log1p(np.exp(x))


EXPECTED = {
    "hinge": (
        np.maximum(1 - REAL, 0).mean() + np.maximum(1 + FAKE, 0).mean(),
        -FAKE.mean(),
        [-0.25, -0.25, -0.25, 0.0],
        [0.0, 0.25, 0.25, 0.25],
    ),
    "non_saturating": (
        _softplus(-REAL).mean() + _softplus(FAKE).mean(),
        _softplus(-FAKE).mean(),
        -1 / (1 + np.exp(REAL)) / 4,
        1 / (1 + np.exp(-FAKE)) / 4,
    ),
    "least_squares": (
        0.5 * ((REAL - 1) ** 2).mean() + 0.5 * (FAKE**2).mean(),
        0.5 * ((FAKE - 1) ** 2).mean(),
        (REAL - 1) / 4,
        FAKE / 4,
    ),
    "wasserstein": (FAKE.mean() - REAL.mean(), -FAKE.mean(), [-0.25] * 4, [0.25] * 4),
}


every_game = pytest.mark.parametrize("name", sorted(EXPECTED))


@every_game
def test_loss_and_gradient_are_numpys(name):
    loss = load("game", name)().build()
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        value = loss.discriminator(real, fake)
    of_discriminator, of_generator, by_real, by_fake = EXPECTED[name]
    np.testing.assert_allclose(value, of_discriminator, rtol=1e-14)
    np.testing.assert_allclose(loss.generator(fake), of_generator, rtol=1e-14)
    for got, expected in zip(tape.gradient(value, [real, fake]), (by_real, by_fake), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-15)


@every_game
def test_loss_is_float32_for_half_precision_logits(name):
    logits = tf.constant([1.0, -1.0], tf.float16)
    assert load("game", name)().build().discriminator(logits, logits).dtype == "float32"
    assert load("game", name)().build().generator(logits).dtype == "float32"


def test_every_game_of_logits_has_its_numbers_here():
    of_logits = {kind for kind in kinds("game") if issubclass(load("game", kind), AdversarialConfig)}
    relative = {kind for kind in of_logits if issubclass(load("game", kind), RelativisticConfig)}
    # These three have more than the logits to look at, and tests of their own.
    assert of_logits - relative - {"stylegan2", "wasserstein_gp", "multi_hinge"} == set(EXPECTED)


def test_updates_of_either_network_may_be_repeated():
    game = load("game", "hinge")(discriminator_steps=2, generator_steps=3).build()
    assert [(phase.trains, phase.repeats) for phase in game.phases()] == [("discriminator", 2), ("generator", 3)]


def test_clipping_belongs_to_every_phase_of_a_critic():
    config = load("game", "wasserstein")(weight_limit=0.02)
    config.penalties.r1, config.penalties.r1_every = 1.0, 4
    phases = config.build().phases()
    assert [phase.weight_limit for phase in phases] == [0.02, 0.02, 0.0]
