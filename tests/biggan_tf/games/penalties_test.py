from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts.game import Batch
from biggan_tf.games.penalties import gradient_lengths, orthogonal_gradient, path_lengths
from tests.biggan_tf.games.fixed_round import FixedRound

SHAPES = [(3, 3, 4, 5), (6, 4)]


def orthogonal_penalty(kernel, strength):
    """Half of equation 3, strength / 2 * |W W^T * (1 - I)|^2, where each row of W holds the weights of one output."""
    rows = tf.transpose(tf.reshape(kernel, (-1, kernel.shape[-1])))
    products = tf.matmul(rows, rows, transpose_b=True)
    return 0.5 * strength * tf.reduce_sum(tf.square(products * (1.0 - tf.eye(len(rows), dtype=kernel.dtype))))


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


def test_lengths_are_roots_and_those_of_nan_are_nan():
    squares = tf.constant([0.0, 4.0, np.nan, np.inf])
    np.testing.assert_array_equal(gradient_lengths(squares), [0.0, 2.0, np.nan, np.inf])


class OneStyle(NamedTuple):
    ws: tf.Tensor


class StyledRound(FixedRound):
    """A round whose images are the styles of each row, one for each pixel, times a trained strength."""

    def __init__(self, strength):
        super().__init__()
        self.strength = tf.Variable(strength, dtype="float64")

    def synthesise(self, styles, moves_state=True):
        return Batch(self.strength * tf.reshape(styles[0], (-1, 2, 2, 1)), tf.zeros([2], tf.int32))

    def random_normal(self, shape):
        return tf.ones((2, *shape), "float64")


@pytest.mark.parametrize(("strength", "slope"), [(3.0, 1.0), (0.0, 0.0)])
def test_path_lengths_have_a_finite_slope_where_images_do_not_depend_on_styles(strength, slope):
    round_ = StyledRound(strength)
    styles = OneStyle(tf.constant(np.random.default_rng(3).standard_normal((2, 1, 4))))
    with tf.GradientTape() as tape:
        lengths = path_lengths(round_, styles)
        total = tf.reduce_sum(lengths)
    # J^T y is the strength times y, 1 / sqrt(4) for each of 4 pixels, whose length is the strength.
    np.testing.assert_allclose(lengths, [strength, strength], rtol=1e-12)
    np.testing.assert_allclose(tape.gradient(total, round_.strength), 2 * slope, rtol=1e-12)
