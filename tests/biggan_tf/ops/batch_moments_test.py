import jaxtyping
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops.batch_moments import batch_moments, batch_normalise

pytestmark = pytest.mark.processor


def _inputs(rows):
    random = np.random.default_rng(rows)
    x = random.standard_normal((3, 4, 5, 6)) * 2 + 3
    return x, 1 + random.standard_normal((rows, 6)), random.standard_normal((rows, 6)), random.standard_normal(x.shape)


def _numpy(x, gain, offset, epsilon=1e-5):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + epsilon) * gain[:, None, None] + offset[:, None, None]


def _ours(x, gain, offset):
    return batch_normalise(x, gain, offset, *batch_moments(x, tf.zeros(6, x.dtype)), 1e-5)


@pytest.mark.parametrize("rows", [1, 3])
def test_batch_normalise_is_numpys(rows):
    x, gain, offset, _ = _inputs(rows)
    got = _ours(*map(tf.constant, (x, gain, offset)))
    np.testing.assert_allclose(got, _numpy(x, gain, offset), rtol=0, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 3])
def test_gradients_are_finite_differences(rows):
    x, gain, offset, upstream = _inputs(rows)
    tensors = [tf.constant(array) for array in (x, gain, offset)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = tf.reduce_sum(_ours(*tensors) * tf.constant(upstream))
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
        # Central differences: an error of step^2 from the third derivative, one of 1e-16 / step from rounding.
        np.testing.assert_allclose((np.asarray(gradient) * direction).sum(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("mean", [0.0, 3.0, 10.0, 30.0])
def test_low_precision_loses_nothing_to_a_large_mean(kind, mean):
    """Errors stay those of rounding; no channel is off by more than its rounded offset, however large its mean is."""
    random = np.random.default_rng(1)
    exact = tf.cast(tf.constant(random.standard_normal((8, 16, 16, 6)) + mean + random.uniform(0, 1, 6)), kind)
    upstream = tf.cast(tf.constant(random.standard_normal(exact.shape)), kind)
    gain, offset = (tf.constant(random.uniform(0.5, 1.5, (1, 6)), tf.float32) for _ in range(2))

    def run(x, upstream, gain, offset):
        moments = batch_moments(x, tf.zeros(6, gain.dtype))
        with tf.GradientTape() as tape:
            tape.watch([x, gain])
            y = batch_normalise(x, gain, offset, *moments, 1e-5)
        return [np.asarray(tf.cast(part, tf.float64)) for part in (y, *tape.gradient(y, [x, gain], upstream))]

    got = run(exact, upstream, gain, offset)
    wanted = run(*(tf.cast(part, tf.float64) for part in (exact, upstream, gain, offset)))
    step = 2.0 ** (-8 if kind == "bfloat16" else -11)
    for ours, truth in zip(got, wanted, strict=True):
        error = ours - truth
        size = np.sqrt(np.mean(truth**2))
        assert np.sqrt(np.mean(error**2)) < 1.5 * step * size
    assert np.abs((got[0] - wanted[0]).mean((0, 1, 2))).max() < step * np.sqrt(np.mean(wanted[0] ** 2))


def test_variance_survives_a_large_mean():
    """E[x^2] - E[x]^2 would lose all digits. About a mean that is off by d the variance is off by d^2.

    256 numbers near 1,000 add up to 256,000, where float32 steps by 1/64: in any order d is below 0.01.
    """
    x = np.random.default_rng(0).standard_normal((4, 8, 8, 2)) + 1000
    _, variance = batch_moments(tf.constant(x, tf.float32), tf.zeros(2))
    np.testing.assert_allclose(variance, x.astype(np.float32).astype(np.float64).var((0, 1, 2)), rtol=1e-3)


def test_a_tensor_of_another_shape_than_the_signatures_fails_in_tests():
    """[N, C] where [N, H, W, C] is due, and two channels where x has three: the annotations are checked."""
    with pytest.raises(jaxtyping.TypeCheckError, match="N H W C"):
        batch_moments(tf.zeros([4, 3]), tf.zeros(3))
    with pytest.raises(jaxtyping.TypeCheckError, match="centre"):
        batch_moments(tf.zeros([4, 2, 2, 3]), tf.zeros(2))
