"""The numbers of the study of demodulation."""

import numpy as np

from tests.biggan_tf.studies.small_results import small_result


def test_the_variance_does_not_depend_on_the_scale_of_the_style():
    numbers = small_result("demodulation").numbers
    variance = numbers["variance_demodulated"]
    assert variance.max() / variance.min() - 1 < 1e-3
    np.testing.assert_allclose(variance, 1.0, atol=0.1)
    assert numbers["decades_modulated_alone"] > 11.9
    assert small_result("demodulation").holds


def test_the_variance_of_correlated_inputs_is_that_of_the_formula():
    numbers = small_result("demodulation").numbers
    for name, measured in numbers["variance_by_weights"].items():
        np.testing.assert_allclose(measured, numbers["expected_by_weights"][name], rtol=0.1)
    assert numbers["variance_by_weights"]["weights of one sign"][-1] > 10
    assert numbers["deviation_between_channels"][-1] > 5 * numbers["deviation_between_channels"][0]
