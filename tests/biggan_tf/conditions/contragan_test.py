"""The conditional contrastive loss against NumPy."""

import numpy as np
import tensorflow as tf

from biggan_tf.conditions.config import ContraGANConfig
from biggan_tf.conditions.contragan import ContraGANCondition, conditional_contrast
from tests.biggan_tf.conditions.judged import WIDTH, assert_slope, head_of, judged, labels, random


def numpys(embeddings, proxies, classes, temperature):
    """Row by row, as the equation stands."""
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    to_proxy = np.exp(np.sum(units * proxies, axis=1) / np.linalg.norm(proxies, axis=1) / temperature)
    near = np.exp(units @ units.T / temperature)
    losses = []
    for i in range(len(classes)):
        others = [j for j in range(len(classes)) if j != i]
        same = [j for j in others if classes[j] == classes[i]]
        losses.append(-np.log((to_proxy[i] + near[i, same].sum()) / (to_proxy[i] + near[i, others].sum())))
    return np.mean(losses)


def test_both_terms_are_numpys():
    condition = ContraGANCondition(ContraGANConfig(embedding_dim=4, temperature=0.3, weight=2.0))
    head = head_of(condition)
    features = random(6, WIDTH), random(5, WIDTH, seed=1)
    classes = labels(6), labels(5, seed=1)
    real, fake = (judged(head, *pair) for pair in zip(features, classes, strict=True))
    kernel, bias, proxies = map(np.asarray, (head.linear.kernel, head.linear.bias, head.proxies))
    expected = [numpys(f @ kernel + bias, proxies[c], c, 0.3) for f, c in zip(features, classes, strict=True)]
    term, scalars = condition.discriminator_term(None, real, fake)
    np.testing.assert_allclose([term, scalars["d_contrast"]], [2 * expected[0], expected[0]], rtol=1e-10)
    term, scalars = condition.generator_term(None, fake)
    np.testing.assert_allclose([term, scalars["g_contrast"]], [2 * expected[1], expected[1]], rtol=1e-10)


def test_the_slope_is_that_of_finite_differences():
    classes = labels(6)
    assert_slope(
        lambda embeddings, proxies: conditional_contrast(embeddings, proxies, classes, 0.2),
        random(6, 4),
        random(6, 4, seed=1),
    )


def test_rows_of_zeros_and_of_one_class_have_finite_gradients():
    for embeddings in (np.zeros((4, 3)), random(4, 3)):
        embeddings = tf.constant(embeddings, "float32")
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            loss = conditional_contrast(embeddings, tf.ones([4, 3]), tf.zeros(4, tf.int32), 1e-3)
        assert np.isfinite(loss)
        assert np.isfinite(tape.gradient(loss, embeddings)).all()


def test_a_temperature_of_zero_is_refused():
    (problem,) = ContraGANConfig(temperature=0.0).problems()
    assert "model.condition.temperature must be above 0" in problem
