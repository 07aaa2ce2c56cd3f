"""Modulated convolutions against the paper's equations in NumPy, image by image."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops import fir, fir_convolution, modulation
from tests.biggan_tf.kernel_library import bfloat16

__all__ = ["bfloat16"]
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((3, 4, 5, 6))
STYLES = RANDOM.standard_normal((3, 6))
KERNEL = RANDOM.standard_normal((3, 3, 6, 7))


def own_kernels_convolution(x, kernel, styles, demodulate=True, upsample_taps=None):
    """What the equations say, and the published code: each image is convolved with the kernel of its own."""
    kernels = kernel[None] * styles[:, None, None, :, None]  # [N, k, k, I, O]
    if demodulate:
        sums = tf.reduce_sum(tf.square(kernels), axis=(1, 2, 3), keepdims=True)
        kernels = kernels * tf.math.rsqrt(sums + modulation.EPSILON)
    rows = [(x[i : i + 1], kernels[i]) for i in range(x.shape[0])]
    if upsample_taps is not None:
        return tf.concat([fir_convolution.convolve_upsampled(*row, upsample_taps) for row in rows], axis=0)
    return tf.concat([tf.nn.conv2d(*row, strides=1, padding="SAME") for row in rows], axis=0)


FORMS = (modulation.modulated_convolution, own_kernels_convolution)


def numpy_modulated(demodulate):
    images = []
    for x, style in zip(X, STYLES, strict=True):
        kernel = KERNEL * style[:, None]  # equation 1
        if demodulate:
            kernel = kernel / np.sqrt((kernel**2).sum(axis=(0, 1, 2)) + 1e-8)  # equation 3
        padded = np.pad(x, [(1, 1), (1, 1), (0, 0)])
        images.append(sum(padded[i : i + 4, j : j + 5] @ kernel[i, j] for i in range(3) for j in range(3)))
    return np.stack(images)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.processor
def test_it_is_the_papers_equations(form, demodulate):
    got = form(tf.constant(X), tf.constant(KERNEL), tf.constant(STYLES), demodulate)
    np.testing.assert_allclose(got, numpy_modulated(demodulate), atol=1e-12)


@pytest.mark.parametrize("taps", [None, fir.binomial()])
@pytest.mark.parametrize("demodulate", [False, True])
def test_both_forms_have_the_same_gradients(taps, demodulate):
    inputs = [tf.constant(value) for value in (X, KERNEL, STYLES)]
    gradients = []
    for form in FORMS:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = form(*inputs, demodulate, taps)
            loss = tf.reduce_sum(y * np.random.default_rng(1).standard_normal(y.shape))
        gradients.append(tape.gradient(loss, inputs))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


def test_the_scale_of_a_style_does_not_matter_after_demodulation():
    small = modulation.modulated_convolution(tf.constant(X), tf.constant(KERNEL), tf.constant(STYLES))
    large = modulation.modulated_convolution(tf.constant(X), tf.constant(KERNEL), tf.constant(1e3 * STYLES))
    np.testing.assert_allclose(small, large, rtol=1e-9)


def test_float16_survives_styles_that_overflow_it():
    x, kernel = tf.constant(X, tf.float16), tf.constant(KERNEL, tf.float16)
    got = modulation.modulated_convolution(x, kernel, tf.constant(2e4 * STYLES, tf.float16))
    expected = modulation.modulated_convolution(tf.constant(X), tf.constant(KERNEL), tf.constant(STYLES))
    np.testing.assert_allclose(tf.cast(got, tf.float64), expected, atol=0.02)


def test_float16_survives_sums_of_large_activations():
    # 9 * 128 products of 100, 1 and 1 are above 65,504, the largest number.
    x, kernel, styles = (tf.ones(shape, tf.float16) for shape in ((1, 3, 3, 128), (3, 3, 128, 1), (1, 128)))
    got = modulation.modulated_convolution(100.0 * x, kernel, styles)
    np.testing.assert_allclose(got[0, 1, 1, 0], 100.0 * np.sqrt(9 * 128), rtol=2e-3)


def test_sums_of_squares_that_were_computed_before_change_nothing():
    kernel = tf.constant(KERNEL)
    squares = modulation.squared_kernel(kernel)
    np.testing.assert_allclose(squares, np.square(KERNEL).sum(axis=(0, 1)), rtol=1e-12)
    for taps in (None, modulation.fir.binomial()):
        plain = modulation.modulated_convolution(tf.constant(X), kernel, tf.constant(STYLES), upsample_taps=taps)
        given = modulation.modulated_convolution(
            tf.constant(X), kernel, tf.constant(STYLES), upsample_taps=taps, squares=squares
        )
        np.testing.assert_allclose(given, plain, rtol=1e-12)
