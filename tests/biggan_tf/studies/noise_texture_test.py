"""The numbers of the study of noise and textures."""

import types

import numpy as np
import pytest

from biggan_tf.studies.contract import StudyContext, StudyError
from biggan_tf.studies.execution import perform
from biggan_tf.studies.noise_texture import STUDY, correlation, gain
from tests.biggan_tf.studies.small_results import small_result


def test_the_fit_returns_the_coefficient_of_correlated_noise():
    numbers = small_result("noise_texture").numbers
    np.testing.assert_allclose(numbers["fitted_coefficients"], numbers["coefficients_of_noise"], atol=0.03)
    assert small_result("noise_texture").holds


def test_noise_of_coarser_levels_is_correlated_in_the_image():
    by_level = small_result("noise_texture").numbers["coefficients_by_level"]["0"]
    sizes = sorted(by_level, key=int)
    assert abs(by_level[sizes[-1]]) < 0.1
    assert by_level[sizes[-2]] > 0.5


def test_stripes_look_independent_to_a_first_order_autoregression():
    numbers = small_result("noise_texture").numbers
    assert abs(numbers["coefficients_of_textures"]["stripes"]) < 0.05
    assert numbers["correlations_at_two_pixels"]["stripes"] < -0.9


def test_correlation_and_gain_follow_their_formulas():
    ramp = np.array([[[1.0, -1.0], [1.0, -1.0]]])
    assert correlation(ramp, 1) == pytest.approx(0.0)  # equal down the columns, opposite along the rows
    assert gain(0.6) == pytest.approx(-np.log(1 - 0.36))


def test_a_generator_without_noise_is_refused():
    without = types.SimpleNamespace(generator=types.SimpleNamespace(has_noise=False))
    with pytest.raises(StudyError, match="needs a generator with noise"):
        perform(STUDY, StudyContext(budget="small", model=without))
