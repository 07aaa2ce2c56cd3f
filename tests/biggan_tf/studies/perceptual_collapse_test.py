"""The numbers of the study of pixel losses."""

import numpy as np
import pytest

from biggan_tf.studies.perceptual_collapse import colours, pixel_loss, sharpness, spread_of_hues
from tests.biggan_tf.studies.small_results import small_result


@pytest.mark.slow
def test_a_pixel_loss_gives_grey_and_an_adversarial_term_colours():
    numbers = small_result("perceptual_collapse").numbers
    assert numbers["sharpness"][0] < 0.2
    assert numbers["sharpness"][-1] > 0.7
    assert np.all(np.diff(numbers["pixel_loss"]) > 0)
    np.testing.assert_allclose(numbers["pixel_loss"], numbers["expected_pixel_loss"], rtol=0.1)
    assert small_result("perceptual_collapse").holds


def test_real_colours_are_sharp_and_of_all_hues_and_grey_is_nearest_to_them():
    reals = colours(np.random.default_rng(0), 2000)
    assert sharpness(reals) == pytest.approx(1.0)
    assert spread_of_hues(reals) > 0.9
    assert spread_of_hues(reals[:1].repeat(5, axis=0)) == pytest.approx(0.0)
    assert pixel_loss(np.zeros((1, 1, 1, 3)), reals) == pytest.approx(0.64)
    assert pixel_loss(reals, reals) == pytest.approx(1.28, rel=0.01)
