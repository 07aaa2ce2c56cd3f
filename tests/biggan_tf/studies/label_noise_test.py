"""The numbers of the study of wrong labels."""

import numpy as np

from tests.biggan_tf.studies.small_results import small_result


def test_projection_keeps_more_of_its_direction_than_acgan():
    numbers = small_result("label_noise").numbers
    at = numbers["cosine_at_judged_noise"]
    for count in at["projection"]:
        assert at["projection"][count] > at["ACGAN"][count] + 0.1
    for values in numbers["cosine"]["ACGAN"].values():
        assert np.all(np.diff(values) < 0)
        np.testing.assert_allclose(values[0], 1.0, atol=1e-6)


def test_the_claim_holds_only_where_projection_stays_near_one():
    result = small_result("label_noise")
    at = result.numbers["cosine_at_judged_noise"]
    lowest, highest = min(at["projection"].values()), max(at["ACGAN"].values())
    assert result.holds == (lowest > 0.9 > highest)
