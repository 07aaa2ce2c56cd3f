"""The numbers of the study of the variance of a batch."""

import numpy as np
import pytest

from biggan_tf.studies.batch_variance import expected_error
from tests.biggan_tf.studies.small_results import small_result


def test_the_error_of_a_variance_is_that_of_the_formula():
    numbers = small_result("batch_variance").numbers
    for size, error in zip(numbers["sizes"], numbers["squared_error"]["normal"], strict=True):
        assert error == pytest.approx(2.0 / (size - 1), rel=0.15)
    assert small_result("batch_variance").holds


def test_heavier_tails_add_their_kurtosis():
    numbers = small_result("batch_variance").numbers
    expected = [2.0 / (size - 1) + 6.0 / size for size in numbers["sizes"]]
    np.testing.assert_allclose(numbers["squared_error"]["one-sided (exponential)"], expected, rtol=0.25)
    assert expected_error(4) == pytest.approx(2 / 3)


def test_an_image_depends_on_its_batch_through_batch_norm_alone():
    numbers = small_result("batch_variance").numbers
    assert np.all(np.diff(numbers["generator_share"]) < 0)
    assert numbers["generator_share"][0] > 5 * numbers["generator_share"][-1]
    assert numbers["instance_norm_change"] == 0.0
