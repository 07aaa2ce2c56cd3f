"""InfoNCE of views and of fakes against NumPy."""

import numpy as np

from biggan_tf.conditions.config import InfoNCEConfig
from biggan_tf.conditions.info_nce import InfoNCECondition, fakes_among, two_views
from tests.biggan_tf.conditions.judged import assert_slope, random


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def views_of_numpy(one, other, temperature):
    rows = np.concatenate([unit(one), unit(other)])
    count = len(one)
    shares = np.exp(rows @ rows.T / temperature) * (1 - np.eye(2 * count))
    return -np.mean([np.log(shares[i, (i + count) % (2 * count)] / shares[i].sum()) for i in range(2 * count)])


def fakes_of_numpy(fakes, one, other, temperature):
    rows = np.concatenate([unit(fakes), unit(one), unit(other)])
    count = len(fakes)
    shares = np.exp(rows @ rows.T / temperature) * (1 - np.eye(3 * count))
    losses = [-np.mean([np.log(shares[i, j] / shares[i].sum()) for j in range(count) if j != i]) for i in range(count)]
    return np.mean(losses)


def test_two_views_are_numpys():
    one, other = random(5, 4), random(5, 4, seed=1)
    np.testing.assert_allclose(two_views(one, other, 0.1), views_of_numpy(one, other, 0.1), rtol=1e-10)
    assert_slope(lambda a, b: two_views(a, b, 0.3), one, other)


def test_fakes_among_reals_are_numpys():
    fakes, one, other = random(5, 4), random(5, 4, seed=1), random(5, 4, seed=2)
    np.testing.assert_allclose(fakes_among(fakes, one, other, 0.1), fakes_of_numpy(fakes, one, other, 0.1), rtol=1e-10)
    assert_slope(lambda f, a, b: fakes_among(f, a, b, 0.3), fakes, one, other)


def test_g_gains_nothing_and_negative_weights_are_refused():
    condition = InfoNCECondition(InfoNCEConfig())
    assert condition.generator_term(None, None) is None
    (problem,) = InfoNCEConfig(fake_weight=-1.0).problems()
    assert "model.condition.fake_weight must be at least 0" in problem
