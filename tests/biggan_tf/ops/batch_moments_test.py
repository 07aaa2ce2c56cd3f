import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops.batch_moments import batch_moments, normalise

pytestmark = pytest.mark.processor


def _inputs(rows):
    random = np.random.default_rng(rows)
    x = random.standard_normal((3, 4, 5, 6)) * 2 + 3
    return x, 1 + random.standard_normal((rows, 6)), random.standard_normal((rows, 6)), random.standard_normal(x.shape)


def _numpy(x, gain, offset, epsilon=1e-5):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + epsilon) * gain[:, None, None] + offset[:, None, None]


def _ours(x, gain, offset):
    return normalise(x, gain, offset, *batch_moments(x, tf.zeros(6)), 1e-5)


@pytest.mark.parametrize("rows", [1, 3])
def test_normalise_is_numpys(rows):
    x, gain, offset, _ = _inputs(rows)
    got = _ours(*(tf.constant(array, tf.float32) for array in (x, gain, offset)))
    np.testing.assert_allclose(got, _numpy(x, gain, offset), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 3])
def test_gradients_are_finite_differences(rows):
    x, gain, offset, upstream = _inputs(rows)
    tensors = [tf.constant(array, tf.float32) for array in (x, gain, offset)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = tf.reduce_sum(_ours(*tensors) * tf.constant(upstream, tf.float32))
    gradients = tape.gradient(loss, tensors)
    arrays = [x, gain, offset]
    random = np.random.default_rng(9)
    for i, gradient in enumerate(gradients):
        direction = random.standard_normal(arrays[i].shape)
        step = 1e-5
        ends = []
        for sign in (1, -1):
            moved = [array + sign * step * direction if j == i else array for j, array in enumerate(arrays)]
            ends.append((_numpy(*moved) * upstream).sum())
        expected = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose((np.asarray(gradient) * direction).sum(), expected, rtol=2e-4, atol=1e-3)


def test_variance_survives_a_large_mean():
    x = np.random.default_rng(0).standard_normal((4, 8, 8, 2)) + 1000
    _, variance = batch_moments(tf.constant(x, tf.float32), tf.zeros(2))
    np.testing.assert_allclose(variance, x.astype(np.float32).astype(np.float64).var((0, 1, 2)), rtol=1e-3)
