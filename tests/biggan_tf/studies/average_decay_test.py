"""The numbers of the study of the moving average's decay."""

import numpy as np

from biggan_tf.studies.average_decay import _DRIFT, _NOISE, expected_error
from biggan_tf.studies.drift_and_noise import best_decay
from tests.biggan_tf.studies.small_results import small_result


def test_the_closed_form_is_the_minimum_of_the_error():
    decays = 1.0 - np.logspace(-3, -0.3, 4000)
    exact = decays[np.argmin(expected_error(decays, 0.0))]
    np.testing.assert_allclose(1 - best_decay(_DRIFT, _NOISE), 1 - exact, rtol=0.1)


def test_the_kept_noise_is_that_of_an_explicit_sum():
    decay, correlation = 0.8, 0.5
    weights = (1 - decay) * decay ** np.arange(200)
    lags = np.abs(np.arange(200)[:, None] - np.arange(200)[None])
    kept = weights @ correlation**lags @ weights
    lag = _DRIFT * decay / (1 - decay)
    np.testing.assert_allclose(expected_error(np.array([decay]), correlation)[0], lag**2 + _NOISE**2 * kept, rtol=1e-9)


def test_the_average_errs_as_the_formula_says():
    result = small_result("average_decay")
    assert result.numbers["largest_relative_difference"] < 0.15
    assert result.numbers["best_decay"]["correlated noise"] > result.numbers["best_decay"]["independent noise"]
    assert result.holds
