"""The numbers of the study of an architecture search's proxies."""

import itertools

import numpy as np
import pytest
import scipy.stats

from biggan_tf.studies.search_proxies import critical_value
from tests.biggan_tf.studies.small_results import small_result


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
    assert small_result("search_proxies").holds == (numbers["rank_correlation"]["score"] >= numbers["needed"])
