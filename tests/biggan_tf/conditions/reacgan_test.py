"""The data-to-data cross-entropy against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.conditions.config import ReACGANConfig
from biggan_tf.conditions.proxy_condition import ProxyCondition
from biggan_tf.conditions.reacgan import ReACGANCondition, data_to_data
from tests.biggan_tf.conditions.judged import WIDTH, assert_slope, head_of, judged, labels, random


def numpys(embeddings, proxies, classes, temperature, positive_margin, negative_margin):
    """Row by row, as the equation stands."""
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    to_proxy = np.sum(units * proxies, axis=1) / np.linalg.norm(proxies, axis=1)
    excess = (units @ units.T - negative_margin) / temperature
    losses = []
    for i in range(len(classes)):
        others = [j for j in range(len(classes)) if j != i]
        wrong = [j for j in others if classes[j] != classes[i]]
        positive = max(positive_margin - to_proxy[i], 0) / temperature
        negatives = np.exp(np.maximum(excess[i, wrong], 0) - excess[i, others].max()).sum()
        losses.append(positive + np.log(np.exp(-positive) + negatives))
    return np.mean(losses)


@pytest.mark.parametrize("margins", [(0.98, 0.02), (0.5, -0.3), (0.1, 0.9)])
def test_both_terms_are_numpys(margins):
    numbers = dict(zip(("positive_margin", "negative_margin"), margins, strict=True))
    condition = ReACGANCondition(ReACGANConfig(embedding_dim=4, temperature=0.3, weight=2.0, **numbers))
    head = head_of(condition)
    features = random(6, WIDTH), random(5, WIDTH, seed=1)
    classes = labels(6), labels(5, seed=1)
    real, fake = (judged(head, *pair) for pair in zip(features, classes, strict=True))
    kernel, bias, proxies = map(np.asarray, (head.linear.kernel, head.linear.bias, head.proxies))
    expected = [numpys(f @ kernel + bias, proxies[c], c, 0.3, *margins) for f, c in zip(features, classes, strict=True)]
    term, scalars = condition.discriminator_term(None, real, fake)
    np.testing.assert_allclose([term, scalars["d_data_to_data"]], [2 * expected[0], expected[0]], rtol=1e-10)
    term, scalars = condition.generator_term(None, fake)
    np.testing.assert_allclose([term, scalars["g_data_to_data"]], [2 * expected[1], expected[1]], rtol=1e-10)


def test_the_largest_excess_is_a_constant_to_the_gradient():
    embeddings, proxies, classes = random(6, 4), random(6, 4, seed=1), labels(6)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    excess = (units @ units.T - 0.02) / 0.5 - 1e9 * np.eye(6)
    largest = excess.max(axis=1)

    def frozen(embeddings, proxies):
        # The loss with that number put in.
        own = embeddings / tf.norm(embeddings, axis=1, keepdims=True)
        to_proxy = tf.reduce_sum(own * proxies, axis=1) / tf.norm(proxies, axis=1)
        positive = tf.nn.relu(0.98 - to_proxy) / 0.5
        differs = tf.constant(classes[:, None] != classes[None], tf.float64)
        negative = tf.exp(tf.nn.relu((own @ tf.transpose(own) - 0.02) / 0.5) - largest[:, None]) * differs
        return tf.reduce_mean(positive + tf.math.log(tf.exp(-positive) + tf.reduce_sum(negative, axis=1)))

    assert_slope(frozen, embeddings, proxies)
    tensors = [tf.constant(embeddings), tf.constant(proxies)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(tensors)
        ours, theirs = data_to_data(*tensors, classes, 0.5, 0.98, 0.02), frozen(*tensors)
    for one, other in zip(tape.gradient(ours, tensors), tape.gradient(theirs, tensors), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-14)


def test_one_class_and_a_low_temperature_give_finite_gradients():
    embeddings = tf.constant(random(4, 3), tf.float32)
    for classes in (np.zeros(4, np.int32), np.arange(4)):
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            loss = data_to_data(embeddings, tf.ones([4, 3]), classes, 1e-3, 0.98, 0.02)
        assert np.isfinite(loss)
        assert np.isfinite(tape.gradient(loss, embeddings)).all()


def test_margins_that_are_no_cosines_are_refused():
    (problem,) = ReACGANConfig(positive_margin=1.5).problems()
    assert "model.condition.positive_margin must be a cosine" in problem
    assert problem.endswith("Received: 1.5; give another number. The default is 0.98.")


def test_a_condition_with_proxies_must_define_its_loss():
    with pytest.raises(NotImplementedError, match="ProxyCondition must define loss"):
        ProxyCondition(ReACGANConfig()).loss(None)
