"""The numbers of the study of levels and information."""

import numpy as np
import pytest

from biggan_tf.studies.latent_information import level_bounds, linear_information, polynomials
from tests.biggan_tf.studies.small_results import small_result


@pytest.mark.slow
def test_a_weight_on_a_level_raises_its_information():
    result = small_result("latent_information")
    assert result.numbers["bounds_with"][1] > result.numbers["bounds_without"][1] + 0.5
    np.testing.assert_allclose(result.numbers["linear_bounds"], result.numbers["linear_information"], atol=0.1)
    assert result.holds


def test_the_bound_of_a_code_in_noise_is_its_information_and_that_of_nothing_is_none():
    random = np.random.default_rng(0)
    z, noise = random.standard_normal((2, 8000, 2))
    bounds = level_bounds(z, z * np.array([2.0, 0.0]) + noise, (1, 1))
    np.testing.assert_allclose(bounds, linear_information(np.array([2.0, 0.0])), atol=0.05)


def test_polynomials_are_all_products_of_up_to_three_coordinates():
    terms = polynomials(np.array([[[[2.0, 3.0, 5.0]]]]))
    assert terms.shape == (1, 19)
    assert {2.0, 3.0, 5.0, 4.0, 30.0, 125.0} <= set(terms[0])
