"""The hinge game of K + 1 classes against NumPy, and in training."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.games.config import MultiHingeConfig
from biggan_tf.games.multi_hinge import multi_hinge
from tests.families.conformance_test import trained
from tests.families.matrix_test import eagerly
from tests.families.registry import smallest

__all__ = ["eagerly"]

SCORES = np.random.default_rng(0).standard_normal((6, 4))
LABELS = np.array([0, 3, 1, 2, 3, 0], np.int32)


def expected(scores):
    """The loss, and its gradient: 1/N at the highest wrong score and -1/N at the right one, where they are too near."""
    loss, gradient = 0.0, np.zeros_like(scores)
    for row, (values, label) in enumerate(zip(scores, LABELS, strict=True)):
        wrong = max((k for k in range(4) if k != label), key=lambda k: values[k])
        margin = 1.0 + values[wrong] - values[label]
        if margin > 0:
            loss += margin / len(scores)
            gradient[row, wrong] += 1.0 / len(scores)
            gradient[row, label] -= 1.0 / len(scores)
    return loss, gradient


def test_values_and_gradients():
    values = SCORES + 2.0 * np.eye(4)[LABELS]  # some rows are right by more than 1
    scores = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = tf.reduce_mean(multi_hinge(scores, LABELS))
    wanted, gradient = expected(values)
    assert float(loss) == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(tape.gradient(loss, scores), gradient, rtol=0, atol=1e-12)
    assert 0 < np.count_nonzero(gradient.any(axis=1)) < 6


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_it_trains_progan(policy, eagerly):
    config = smallest("progan", policy=policy)
    config.game = MultiHingeConfig(discriminator_steps=1)
    assert config.problems() == []
    _, reports = trained(config, steps=1)
    assert np.isfinite([reports[0][name] for name in ("d_loss", "g_loss", "d_real", "d_fake")]).all()


def test_a_discriminator_without_class_logits_cannot_play_it():
    for family, classes in (("biggan", 3), ("progan", 0)):
        config = smallest(family, num_classes=classes)
        config.game = MultiHingeConfig()
        (problem,) = config.problems()
        assert "needs a discriminator with class logits" in problem
        assert family in problem
