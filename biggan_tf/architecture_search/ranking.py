"""Ranks candidates by the proxies, chooses who is trained, and says how well the ranks foretold the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats

from biggan_tf.architecture_search.proxies import PROXIES


def scores(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean rank of each candidate over the proxies, from 0 for the best to 1 for the worst.

    Ranks and not values are averaged, since the proxies have different units. Numbers that are not finite come last.

    Args:
        values: The proxies of each candidate by its name; all have the same ones.
    """
    names = list(values)
    proxies = list(values[names[0]]) if names else []
    if not proxies:
        return {}
    ranks = np.mean([_ranks([values[name][proxy] for name in names], proxy) for proxy in proxies], axis=0)
    return dict(zip(names, (ranks - 1.0) / max(len(names) - 1, 1), strict=True))


def _ranks(values: Sequence[float], proxy: str) -> np.ndarray:
    """From 1 for the best; equal values share the mean of their ranks."""
    return np.asarray(scipy.stats.rankdata(costs(values, proxy)))


def costs(values: Sequence[float], proxy: str) -> list[float]:
    """Values of a proxy turned so that the lower one is the better one; those that are not finite come last."""
    sign = 1.0 if PROXIES[proxy].lower_is_better else -1.0
    return [sign * value if np.isfinite(value) else np.inf for value in values]


def first_round(by_score: Mapping[str, float], count: int, at_random: float, seed: int) -> list[str]:
    """Who is trained first: the best by score, and some of the others at random.

    Args:
        by_score: The score of each candidate.
        count: How many are chosen.
        at_random: The share of them that is drawn among those whom their score does not choose.
        seed: Decides who is drawn.

    Returns:
        Their names, in the order of the scores.
    """
    ordered = sorted(by_score, key=lambda name: by_score[name])
    num_random = round(at_random * count) if count < len(ordered) else 0
    best, others = ordered[: count - num_random], ordered[count - num_random :]
    drawn = np.random.default_rng([seed, 1]).choice(len(others), num_random, replace=False)
    return best + [others[index] for index in sorted(drawn)]


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation, from -1 to 1; None: there are fewer than three pairs, or one side does not vary."""
    if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(scipy.stats.spearmanr(first, second).statistic)
