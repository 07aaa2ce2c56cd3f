"""The numbers of the study of an architecture search's proxies."""

import itertools

import numpy as np
import pytest
import scipy.stats

from biggan_tf.studies.search_proxies import critical_value
from tests.biggan_tf.studies.small_results import small_result, told_by_command


def test_chance_passes_the_critical_value_once_in_twenty():
    every = [scipy.stats.spearmanr(range(6), order).statistic for order in itertools.permutations(range(6))]
    value = critical_value(6, np.random.default_rng(0))
    assert np.mean(np.array(every) >= value - 1e-9) == pytest.approx(0.05, abs=0.01)


@pytest.mark.slow
def test_the_correlations_are_those_of_the_numbers_that_are_told():
    numbers = small_result("search_proxies").numbers
    results = np.mean(numbers["distances_by_seed"], axis=0)
    assert np.all(np.isfinite(results))
    expected = scipy.stats.spearmanr(numbers["score"], results).statistic
    assert numbers["rank_correlation"]["score"] == pytest.approx(expected)
    diversity = [-each["latent_diversity"] for each in numbers["proxies"].values()]
    expected = scipy.stats.spearmanr(diversity, results).statistic
    assert numbers["rank_correlation"]["latent_diversity"] == pytest.approx(expected)


@pytest.mark.slow
def test_the_claim_fails_where_two_trainings_of_one_step_disagree(commands, tmp_path):
    told = told_by_command(commands, "search_proxies", tmp_path)
    numbers = told["numbers"]
    # Of three recipes chance gives the right order once in six, so that no order is rarer than once in twenty.
    assert numbers["needed"] == 1.0
    # The score has -0.5, and the two trainings of each recipe rank them in opposite orders.
    assert numbers["rank_correlation"]["score"] <= 0.5
    assert numbers["rank_correlation_between_seeds"] == pytest.approx(-1.0)
    assert not told["holds"]
    assert "which is not above the 1.00" in told["paragraph"]
