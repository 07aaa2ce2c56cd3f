"""The numbers of the study of the Fréchet distance's two parts."""

import numpy as np

from tests.biggan_tf.studies.small_results import small_result


def test_truncation_of_a_linear_generator_acts_on_the_covariance_as_the_formula_says():
    numbers = small_result("distance_parts").numbers
    assert numbers["largest_difference_of_linear"] < 0.05
    assert numbers["share_of_the_covariance_in_the_change"]["linear generator"] > 0.98
    expected = numbers["covariance_part_of_linear_by_formula"]
    assert expected[-1] == 0.0
    np.testing.assert_allclose(expected[0] / expected[1], (0.8 / 0.6) ** 2)


def test_the_claim_holds_only_where_every_generator_changes_by_its_covariance():
    result = small_result("distance_parts")
    shares = result.numbers["share_of_the_covariance_in_the_change"]
    assert set(shares) == {"linear generator", "small BigGAN"}
    assert result.holds == (min(shares.values()) > 0.8)
    assert ("does not act on the covariance alone" in result.paragraph) == (not result.holds)
