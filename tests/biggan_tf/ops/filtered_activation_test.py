"""Filtered activations against NumPy, which inserts the zeros and multiplies them."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops import low_pass
from biggan_tf.ops.filtered_activation import filtered_activation
from biggan_tf.ops.operation_counter import count_operations
from tests.biggan_tf.ops.fir_test import numpy_upfirdn

TAPS = {1: None, 2: low_pass.separable(12, 4.0, 2.5, 32.0), 4: low_pass.separable(24, 7.3, 3.1, 64.0)}
ROUND = low_pass.radial(12, 4.0, 2.5, 32.0)
TOLERANCE = 1e-7  # TensorFlow keeps the slope of a leaky ReLU in float32, whatever the dtype of the values is.
PADDINGS = [((9, 8), (9, 8)), ((-3, 20), (14, -1))]


def inputs():
    random = np.random.default_rng(0)
    return random.standard_normal((2, 10, 11, 3)), random.standard_normal(3)


def numpy_filtered(x, bias, up, down, up_taps, down_taps, padding, clamp):
    one = np.ones((1, 1))
    x = numpy_upfirdn(x + bias, one if up_taps is None else up_taps, (up, up), (1, 1), padding, up**2)
    x = np.clip(np.sqrt(2) * np.where(x < 0, 0.2 * x, x), -clamp, clamp)
    return numpy_upfirdn(x, one if down_taps is None else down_taps, (1, 1), (down, down), ((0, 0), (0, 0)), 1.0)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 2), (4, 2), (2, 1), (1, 2)])
@pytest.mark.processor
def test_it_is_numpys(up, down, padding):
    x, bias = inputs()
    options = (up, down, TAPS[up], TAPS[down], padding, 1.5)
    got = filtered_activation(tf.constant(x), tf.constant(bias), "leaky_relu", *options)
    expected = numpy_filtered(x, bias, *options)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=TOLERANCE)


def test_a_radial_filter_is_numpys():
    x, bias = inputs()
    options = (2, 2, TAPS[2], ROUND, PADDINGS[0], 1.5)
    got = filtered_activation(tf.constant(x), tf.constant(bias), "leaky_relu", *options)
    np.testing.assert_allclose(got, numpy_filtered(x, bias, *options), atol=TOLERANCE)


def test_gradients_are_the_slopes_of_the_result():
    x, bias = inputs()
    values = [tf.constant(x), tf.constant(bias)]

    def total(x, bias):
        y = filtered_activation(x, bias, "leaky_relu", 2, 2, TAPS[2], ROUND, PADDINGS[1], 1.5)
        return tf.reduce_sum(y * np.random.default_rng(1).standard_normal(y.shape))

    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = total(*values)
    gradients = tape.gradient(loss, values)
    for i, gradient in enumerate(gradients):
        direction = np.random.default_rng(2).standard_normal(gradient.shape)
        ends = [
            total(*[v + (step * direction if i == j else 0) for j, v in enumerate(values)]) for step in (1e-6, -1e-6)
        ]
        slope = (float(ends[0]) - float(ends[1])) / 2e-6
        assert slope == pytest.approx(float(tf.reduce_sum(gradient * direction)), rel=1e-6)


def test_no_zero_is_multiplied():
    x = tf.ones((1, 10, 10, 3))
    with count_operations() as counter:
        y = filtered_activation(x, None, "leaky_relu", 2, 2, TAPS[2], TAPS[2], PADDINGS[0])
    size = 2 * 10 + 17 - 11  # of the enlarged image
    enlarged = 3 * (size * 10 * 6 + size * size * 6)  # 12 taps, of which every second one meets a pixel
    reduced = 3 * 12 * (y.shape[1] * size + y.shape[1] * y.shape[2])
    assert counter.multiply_adds["filter"] == enlarged + reduced
