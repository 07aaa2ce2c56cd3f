"""The blur against NumPy, tap by tap."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops.blur import blur

X = np.random.default_rng(0).standard_normal((2, 8, 9, 3))


def numpy_blur(x, sigma):
    reach = int(np.floor(3 * sigma))
    if reach == 0:
        return x
    taps = 2.0 ** -((np.arange(-reach, reach + 1) / sigma) ** 2)
    taps = np.outer(taps, taps) / taps.sum() ** 2
    padded = np.pad(x, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    y = np.zeros_like(x)
    for i, j in np.ndindex(taps.shape):
        y += taps[i, j] * padded[:, i : i + x.shape[1], j : j + x.shape[2]]
    return y


@pytest.mark.parametrize("sigma", [0.0, 0.3, 0.5, 1.0, 2.4, 10.0])
@pytest.mark.processor
def test_it_is_numpys(sigma):
    # A filter may be longer than the image: the taps that lie outside of it count towards the sum.
    np.testing.assert_allclose(blur(tf.constant(X), sigma, 10.0), numpy_blur(X, sigma), atol=1e-12)


def test_the_width_may_be_known_later():
    blurred = tf.function(lambda images, sigma: blur(images, sigma, 10.0))
    for sigma in (1.0, 0.0):
        got = blurred(tf.constant(X), tf.constant(sigma, tf.float64))
        np.testing.assert_allclose(got, numpy_blur(X, sigma), atol=1e-12)
