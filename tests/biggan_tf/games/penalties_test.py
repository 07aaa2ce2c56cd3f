import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.games.penalties import orthogonal_gradient, orthogonal_penalty

SHAPES = [(3, 3, 4, 5), (6, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_is_the_papers(shape):
    kernel = np.random.default_rng(0).standard_normal(shape)
    rows = kernel.reshape(-1, shape[-1]).T
    expected = 0.3 * 2 * ((rows @ rows.T) * (1 - np.eye(len(rows)))) @ rows
    got = np.asarray(orthogonal_gradient(tf.constant(kernel), 0.3))
    got = got.reshape(-1, shape[-1]).T
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_is_the_penaltys(shape):
    kernel = tf.constant(np.random.default_rng(1).standard_normal(shape))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        penalty = orthogonal_penalty(kernel, 0.3)
    np.testing.assert_allclose(tape.gradient(penalty, kernel), orthogonal_gradient(kernel, 0.3), rtol=1e-12, atol=1e-12)


def test_orthogonal_rows_are_left_alone():
    kernel = tf.constant(np.linalg.qr(np.random.default_rng(2).standard_normal((8, 5)))[0])
    np.testing.assert_allclose(orthogonal_gradient(kernel, 1.0), np.zeros((8, 5)), atol=1e-14)
