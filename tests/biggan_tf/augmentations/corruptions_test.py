"""ADA's noise and its blank square."""

import numpy as np
import tensorflow as tf

from biggan_tf.augmentations.corruptions import add_noise, blank_square
from biggan_tf.augmentations.gated_draws import GatedDraws
from tests.biggan_tf.augmentations.given_draws import LEFT_OUT, PASSED, Given

IMAGES = np.random.default_rng(0).uniform(0.5, 1, (2, 8, 8, 3))
NOISE = np.random.default_rng(1).standard_normal((2, 8, 8, 3))


def draws(*numbers):
    return GatedDraws(Given(2, *numbers), 0.5, "float64")


def test_noise_has_the_deviation_that_was_drawn():
    got = add_noise(tf.constant(IMAGES), draws(-1.5, PASSED, NOISE))
    np.testing.assert_allclose(got, IMAGES + 0.15 * NOISE, atol=1e-12)
    np.testing.assert_array_equal(add_noise(tf.constant(IMAGES), draws(-1.5, LEFT_OUT, NOISE)), IMAGES)


def test_the_square_is_cut_off_at_the_border():
    expected = IMAGES.copy()
    expected[:, 4:8, 0:3] = 0  # the middles of pixels from 0 to less than 3.2 across, from 4.8 - 1.2 on down
    got = blank_square(tf.constant(IMAGES), draws([0.15, 0.75], PASSED))
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(blank_square(tf.constant(IMAGES), draws([0.15, 0.75], LEFT_OUT)), IMAGES)
