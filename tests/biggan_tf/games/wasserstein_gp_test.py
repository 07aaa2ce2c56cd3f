"""The Wasserstein game against NumPy, on a linear discriminator whose gradient is known."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch, Round
from biggan_tf.games.config import WassersteinGPConfig

RANDOM = np.random.default_rng(0)
REAL, FAKE = RANDOM.uniform(-1, 1, (2, 4, 2, 2, 3))
WEIGHTS, CLASS_WEIGHTS = RANDOM.standard_normal((2, 2, 3)), RANDOM.standard_normal((12, 3))
REAL_LABELS, FAKE_LABELS = np.array([0, 1, 2, 0]), np.array([2, 1, 0, 0])


class LinearRound(Round):
    """D(x) = <w, x>^2 / 2, whose gradient is <w, x> w."""

    key = images_seen = 0
    styles = synthesise = random_normal = "not asked for by this game"

    def __init__(self, heads=True):
        self.heads = heads

    def generate(self, labels=None, latent_noise=0.0):
        return Batch(tf.constant(FAKE), tf.constant(FAKE_LABELS))

    def real_batch(self):
        return Batch(tf.constant(REAL), tf.constant(REAL_LABELS))

    def random_uniform(self, shape):
        assert shape == (1, 1, 1)
        return tf.reshape(tf.constant([0.0, 0.25, 0.5, 1.0], tf.float64), (4, 1, 1, 1))

    def discriminate(self, *batches):
        judgements = []
        for images, _ in batches:
            products = tf.reduce_sum(images * WEIGHTS, axis=(1, 2, 3))
            classes = tf.reshape(images, (-1, 12)) @ CLASS_WEIGHTS
            heads = {"classes": classes} if self.heads else {}
            judgements.append(Judgement(tf.square(products) / 2, classes, heads))
        return judgements


def products(images):
    return np.sum(images * WEIGHTS, axis=(1, 2, 3))


def class_loss(images, labels):
    logits = images.reshape(-1, 12) @ CLASS_WEIGHTS
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(4), labels])


@pytest.mark.parametrize("heads", [True, False])
@pytest.mark.parametrize("target", [1.0, 2.5])
def test_losses_are_numpys(heads, target):
    game = WassersteinGPConfig(penalty_weight=7.0, penalty_target=target, drift_weight=0.1, class_weight=0.5).build()
    share = np.array([0.0, 0.25, 0.5, 1.0]).reshape(4, 1, 1, 1)
    lengths = np.abs(products(REAL + share * (FAKE - REAL))) * np.linalg.norm(WEIGHTS)
    real, fake = products(REAL) ** 2 / 2, products(FAKE) ** 2 / 2
    expected = fake.mean() - real.mean() + 7.0 / target**2 * np.mean((lengths - target) ** 2) + 0.1 * np.mean(real**2)
    expected += heads * 0.5 * (class_loss(REAL, REAL_LABELS) + class_loss(FAKE, FAKE_LABELS))
    loss, scalars = game.discriminator_loss(LinearRound(heads))
    assert float(loss) == pytest.approx(expected, rel=1e-12)
    assert float(scalars["gradient_length"]) == pytest.approx(lengths.mean(), rel=1e-12)
    loss, _ = game.generator_loss(LinearRound(heads))
    assert float(loss) == pytest.approx(-fake.mean() + heads * 0.5 * class_loss(FAKE, FAKE_LABELS), rel=1e-12)


def test_the_penalty_has_a_gradient_where_the_discriminator_is_flat():
    game = WassersteinGPConfig().build()
    weight = tf.Variable(0.0, dtype="float64")

    class FlatRound(LinearRound):
        def discriminate(self, *batches):
            return [
                Judgement(weight * tf.reduce_sum(images, axis=(1, 2, 3)), tf.reshape(images, (-1, 12)), {})
                for images, _ in batches
            ]

    with tf.GradientTape() as tape:
        loss, _ = game.discriminator_loss(FlatRound())
    assert np.isfinite(tape.gradient(loss, weight))


def test_problems_are_named():
    problems = " ".join(WassersteinGPConfig(penalty_weight=-1.0, penalty_target=0.0).problems())
    assert "game.penalty_weight must be at least 0" in problems
    assert "game.penalty_target must be above 0" in problems
