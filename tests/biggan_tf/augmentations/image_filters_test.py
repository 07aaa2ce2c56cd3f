"""The bands of frequencies of ADA's image filter."""

import itertools

import numpy as np
import tensorflow as tf

from biggan_tf.augmentations.gated_draws import GatedDraws
from biggan_tf.augmentations.image_filters import POWER, filter_bank, filter_images
from tests.biggan_tf.augmentations.given_draws import LEFT_OUT, PASSED, Given

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3))


def test_the_bands_add_up_to_the_image():
    expected = np.zeros(43)
    expected[21] = 1.0
    np.testing.assert_allclose(filter_bank().sum(axis=0), expected, atol=1e-12)


def test_each_band_holds_its_octave():
    power = np.abs(np.fft.rfft(filter_bank(), 512))  # up to half a turn in 256 steps
    middles = [8, 48, 96, 224]
    assert [int(np.argmax(power[:, middle])) for middle in middles] == [0, 1, 2, 3]


def test_gains_filter_the_reflected_image_along_both_axes_and_keep_the_power():
    exponents = (1.0, -0.5, 0.7, 1.3)
    draws = GatedDraws(Given(2, *itertools.chain(*((e, PASSED) for e in exponents))), 1.0, "float64")
    gains = np.ones(4)
    for band, exponent in enumerate(exponents):
        own = np.ones(4)
        own[band] = 2.0**exponent
        gains *= own / np.sqrt(np.sum(POWER * own**2))
    taps = gains @ filter_bank()
    # np.pad reflects again and again where the image is smaller than the padding.
    padded = np.pad(IMAGES, [(0, 0), (21, 21), (21, 21), (0, 0)], "reflect")
    expected = padded
    for axis in (1, 2):
        expected = np.apply_along_axis(lambda line: np.correlate(line, taps, "valid"), axis, expected)
    np.testing.assert_allclose(filter_images(tf.constant(IMAGES), draws), expected, atol=1e-12)


def test_without_a_gain_nothing_changes():
    draws = GatedDraws(Given(2, *[1.0, LEFT_OUT] * 4), 0.5, "float64")
    np.testing.assert_allclose(filter_images(tf.constant(IMAGES), draws), IMAGES, atol=1e-12)
