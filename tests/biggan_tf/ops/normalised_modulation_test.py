"""StyleGAN3's modulated convolution against its equations in NumPy, image by image."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops.normalised_modulation import normalised_modulated_convolution

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((3, 4, 5, 6))
STYLES = RANDOM.standard_normal((3, 6))
KERNEL = RANDOM.standard_normal((3, 3, 6, 7))


def numpy_modulated(demodulate, over_batch=True, kernel=KERNEL):
    styles = STYLES
    if demodulate:
        kernel = kernel / np.sqrt((kernel**2).mean(axis=(0, 1, 2)))
        styles = styles / np.sqrt((styles**2).mean(axis=None if over_batch else 1, keepdims=True))
    images, margin = [], kernel.shape[0] - 1
    for x, style in zip(X, styles, strict=True):
        own = kernel * style[:, None]
        if demodulate:
            own = own / np.sqrt((own**2).sum(axis=(0, 1, 2)) + 1e-8)
        padded = np.pad(x, [(margin, margin), (margin, margin), (0, 0)])
        rows, columns = x.shape[0] + margin, x.shape[1] + margin
        images.append(
            sum(padded[i : i + rows, j : j + columns] @ (0.7 * own[i, j]) for i, j in np.ndindex(own.shape[:2]))
        )
    return np.stack(images)


@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("kernel", [KERNEL, KERNEL[:1, :1]], ids=["3x3", "1x1"])
@pytest.mark.processor
def test_it_is_the_equations(demodulate, kernel):
    got = normalised_modulated_convolution(tf.constant(X), tf.constant(kernel), tf.constant(STYLES), demodulate, 0.7)
    np.testing.assert_allclose(got, numpy_modulated(demodulate, over_batch=False, kernel=kernel), atol=1e-12)
    # The published code normalises the styles over the batch, which demodulation undoes but for its epsilon.
    expected = numpy_modulated(demodulate, kernel=kernel)
    assert np.abs(got - expected).max() < 1e-8 * np.abs(expected).max()


def test_an_image_does_not_depend_on_the_others():
    whole = normalised_modulated_convolution(tf.constant(X), tf.constant(KERNEL), tf.constant(STYLES))
    alone = normalised_modulated_convolution(tf.constant(X[1:2]), tf.constant(KERNEL), tf.constant(STYLES[1:2]))
    np.testing.assert_allclose(whole[1:2], alone, rtol=1e-12)


def test_float16_survives_kernels_and_styles_that_overflow_it():
    x, kernel = tf.constant(200 * X, tf.float16), tf.constant(1e3 * KERNEL, tf.float16)
    got = normalised_modulated_convolution(x, kernel, tf.constant(2e4 * STYLES, tf.float16), input_gain=0.7)
    np.testing.assert_allclose(tf.cast(got, tf.float64) / 200, numpy_modulated(True), atol=0.02)
