"""The numbers of the study of truncation and variance."""

import numpy as np
import pytest

from biggan_tf.studies.execution import perform
from biggan_tf.studies.registry import load
from tests.biggan_tf.families.stylegan2 import smallest
from tests.biggan_tf.studies.models import context_of, studied
from tests.biggan_tf.studies.small_results import small_result


def test_the_linear_generator_keeps_the_square_of_psi():
    numbers = small_result("truncation_variance").numbers
    np.testing.assert_allclose(numbers["relative_variance"]["linear generator"], numbers["psis"] ** 2, rtol=1e-4)
    np.testing.assert_allclose(numbers["exponent_between_half_and_one"]["linear generator"], 2.0, atol=1e-4)


def test_the_variance_of_a_small_generator_falls_with_psi():
    numbers = small_result("truncation_variance").numbers
    for values in numbers["relative_variance"].values():
        assert np.all(np.diff(values) > 0)


@pytest.mark.slow
def test_a_model_that_truncates_styles_is_measured_too():
    numbers = perform(load("truncation_variance"), context_of(studied(smallest.model()))).numbers
    values = numbers["relative_variance"]["the model: pixels"]
    assert values[-1] == 1.0
    assert np.all(values > 0)
