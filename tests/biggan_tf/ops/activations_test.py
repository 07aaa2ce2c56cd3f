import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops.activations import activate, normalise_second_moment

X = np.random.default_rng(0).standard_normal((2, 3, 4))
BIAS = np.arange(4.0) / 4


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize("clamp", [None, 0.9])
def test_bias_slope_gain_and_clamp_come_in_this_order(gain, clamp):
    biased = X + BIAS
    expected = np.sqrt(2) * gain * np.where(biased > 0, biased, 0.2 * biased)
    if clamp is not None:
        expected = np.clip(expected, -clamp * gain, clamp * gain)
    np.testing.assert_allclose(activate(tf.constant(X), tf.constant(BIAS), gain=gain, clamp=clamp), expected)


def test_linear_activation_adds_no_gain():
    np.testing.assert_array_equal(activate(tf.constant(X), activation="linear"), X)


def test_a_normalised_row_has_a_mean_square_of_1():
    got = normalise_second_moment(tf.constant(X)).numpy()
    np.testing.assert_allclose((got**2).mean(axis=-1), 1.0, rtol=1e-7)
    np.testing.assert_allclose(got / np.linalg.norm(got, axis=-1)[..., None], X / np.linalg.norm(X, axis=-1)[..., None])
