import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops import spectral

pytestmark = pytest.mark.processor


def _iterate(matrix, u, epsilon, additive=False):
    def unit(x):
        length = np.linalg.norm(x)
        return x / (length + epsilon if additive else max(length, epsilon))

    v = unit(u @ matrix.T)
    new_u = unit(v @ matrix)
    return (v @ matrix @ new_u.T).item(), new_u, v


@pytest.mark.parametrize("additive", [False, True])
def test_singular_value_is_one_power_iteration(additive):
    random = np.random.default_rng(0)
    matrix, u = random.standard_normal((12, 5)), random.standard_normal((1, 5))
    sigma, new_u = spectral.singular_value(tf.constant(matrix), tf.constant(u), 1e-2, additive)
    expected, expected_u, _ = _iterate(matrix, u, 1e-2, additive)
    np.testing.assert_allclose(sigma, expected, rtol=1e-13)
    np.testing.assert_allclose(new_u, expected_u, rtol=0, atol=1e-13)


def test_singular_value_converges_to_numpys():
    matrix = np.random.default_rng(1).standard_normal((20, 8))
    u = tf.ones((1, 8), tf.float64)
    for _ in range(200):
        sigma, u = spectral.singular_value(tf.constant(matrix), u, 1e-12)
    np.testing.assert_allclose(sigma, np.linalg.svd(matrix, compute_uv=False)[0], rtol=1e-9)


def test_gradient_treats_u_and_v_as_constants():
    random = np.random.default_rng(2)
    matrix, u, upstream = (random.standard_normal(shape) for shape in ((6, 4), (1, 4), (6, 4)))
    variable = tf.Variable(matrix)
    with tf.GradientTape() as tape:
        sigma, _ = spectral.singular_value(variable, tf.constant(u), 1e-12)
        loss = tf.reduce_sum(variable / sigma * tf.constant(upstream))
    expected_sigma, new_u, v = _iterate(matrix, u, 1e-12)
    expected = upstream / expected_sigma - (upstream * matrix).sum() / expected_sigma**2 * (v.T @ new_u)
    np.testing.assert_allclose(tape.gradient(loss, variable), expected, rtol=0, atol=1e-13)
