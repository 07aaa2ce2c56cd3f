"""The numbers of the study of InfoNCE's negatives."""

import numpy as np
import pytest

from biggan_tf.studies.hard_negatives import push, steepest_similarity
from tests.biggan_tf.studies.small_results import small_result


def test_the_logarithm_of_a_weight_rises_by_one_over_the_temperature():
    numbers = small_result("hard_negatives").numbers
    for temperature, slope in numbers["slopes"].items():
        assert slope == pytest.approx(1.0 / float(temperature), rel=1e-6)
    assert numbers["largest_deviation"] < 1e-9
    assert small_result("hard_negatives").holds


def test_a_weight_is_the_softmax_of_all_that_the_fake_is_compared_with():
    cosines, temperature = np.array([-0.5, 0.0, 0.8]), 0.5
    # Two other fakes and three images of the second view have the cosine 0.
    total = np.exp(cosines / temperature).sum() + 5.0
    np.testing.assert_allclose(push(cosines, temperature).weights, np.exp(cosines / temperature) / total, rtol=1e-9)


def test_the_longest_gradient_is_not_that_of_the_hardest_negative():
    numbers = small_result("hard_negatives").numbers
    for temperature, found in numbers["steepest_similarity"].items():
        assert found == pytest.approx(steepest_similarity(float(temperature)), abs=0.05)
    assert all(share < 0.1 for share in numbers["share_of_hardest_tenth"].values())
