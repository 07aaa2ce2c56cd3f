"""The auxiliary classifier against NumPy."""

import numpy as np

from biggan_tf.conditions.acgan import ACGANCondition
from biggan_tf.conditions.config import ACGANConfig
from biggan_tf.ops.cross_entropy import cross_entropy
from tests.biggan_tf.conditions.judged import WIDTH, assert_slope, head_of, judged, labels, random


def numpys(head, features, classes):
    logits = features @ np.asarray(head.layers["class_logits"].kernel)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(classes)), classes])


def test_both_terms_are_numpys():
    condition = ACGANCondition(ACGANConfig(real_weight=2.0, fake_weight=0.5, generator_weight=3.0))
    head = head_of(condition)
    assert [variable.path.split("/")[-1] for variable in head.trainable_variables] == ["kernel"]
    features = random(6, WIDTH), random(4, WIDTH, seed=1)
    classes = labels(6), labels(4, seed=1)
    real, fake = (judged(head, *pair) for pair in zip(features, classes, strict=True))
    expected = [numpys(head, *pair) for pair in zip(features, classes, strict=True)]
    term, scalars = condition.discriminator_term(None, real, fake)
    np.testing.assert_allclose([scalars["d_class_real"], scalars["d_class_fake"]], expected, rtol=1e-12)
    np.testing.assert_allclose(term, 2 * expected[0] + 0.5 * expected[1], rtol=1e-12)
    term, scalars = condition.generator_term(None, fake)
    np.testing.assert_allclose([term, scalars["g_class"]], [3 * expected[1], expected[1]], rtol=1e-12)


def test_the_slope_is_that_of_finite_differences():
    condition = ACGANCondition(ACGANConfig())
    head = head_of(condition)
    classes = labels(4)
    assert_slope(
        lambda real, fake: condition.discriminator_term(None, judged(head, real, classes), judged(head, fake, classes))[
            0
        ],
        random(4, WIDTH),
        random(4, WIDTH, seed=1),
    )


def test_large_logits_give_finite_numbers():
    logits = np.array([[1e4, -1e4], [-3e4, 3e4]], np.float32)
    np.testing.assert_allclose(cross_entropy(logits, np.array([0, 0])), [0.0, 6e4])


def test_negative_weights_are_refused():
    (problem,) = ACGANConfig(fake_weight=-1.0).problems()
    assert "model.condition.fake_weight must be at least 0" in problem
