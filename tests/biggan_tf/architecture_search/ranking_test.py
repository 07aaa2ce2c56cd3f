import math

import numpy as np
import pytest

from biggan_tf.architecture_search import ranking


def test_scores_are_mean_ranks_in_the_better_direction():
    values = {
        "a": {"interaction": 1.0, "latent_diversity": 3.0},  # ranks 1 and 1
        "b": {"interaction": 2.0, "latent_diversity": 1.0},  # 2 and 3
        "c": {"interaction": math.nan, "latent_diversity": 2.0},  # 3, since it is not finite, and 2
    }
    assert ranking.scores(values) == pytest.approx({"a": 0.0, "b": 0.75, "c": 0.75})
    assert ranking.scores({}) == {}


def test_the_first_round_has_the_best_and_some_of_the_others():
    by_score = {f"c{n}": n / 10 for n in range(10)}
    chosen = ranking.first_round(by_score, 4, 0.5, seed=0)
    assert chosen[:2] == ["c0", "c1"]
    assert len(set(chosen)) == 4
    assert ranking.first_round(by_score, 4, 0.5, seed=0) == chosen
    assert any(ranking.first_round(by_score, 4, 0.5, seed) != chosen for seed in range(1, 9))
    assert ranking.first_round(by_score, 4, 0.0, seed=0) == ["c0", "c1", "c2", "c3"]
    assert ranking.first_round(by_score, 10, 0.5, seed=0) == list(by_score)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_share_at_random_is_kept_where_few_are_left_out(share):
    by_score = {f"c{n}": n / 10 for n in range(10)}
    lucky = set()
    for seed in range(40):
        chosen = ranking.first_round(by_score, 8, share, seed)
        assert len(set(chosen)) == 8
        assert chosen[: 8 - round(8 * share)] == list(by_score)[: 8 - round(8 * share)]
        lucky |= set(by_score) - set(chosen)
    assert lucky == set(list(by_score)[8 - round(8 * share) :])  # any of the others may be left out


def test_the_rank_correlation_is_pearsons_of_the_ranks():
    first, second = [0.3, 0.1, 0.2, 9.0], [2.0, 1.0, 4.0, 5.0]
    expected = np.corrcoef([3, 1, 2, 4], [2, 1, 3, 4])[0, 1]
    assert ranking.correlation(first, second) == pytest.approx(expected)
    assert ranking.correlation([1, 2], [1, 2]) is None
    assert ranking.correlation([1, 1, 1], [1, 2, 3]) is None
