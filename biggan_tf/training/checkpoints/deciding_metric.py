"""Which of an evaluation's numbers decides which checkpoint is the best, and whether a run has collapsed."""

from __future__ import annotations

from collections.abc import Mapping

_HIGHER_IS_BETTER = ("is", "inception_score", "precision", "recall", "density", "coverage", "accuracy", "psnr", "ssim")
_SCORE_PREFIX = "is_"  # of the Inception score under other features


def name_and_direction(values: Mapping[str, float]) -> tuple[str, bool]:
    """The name of the first metric, which is the one that decides, and whether lower values of it are better.

    Only Inception scores and the metrics of `_HIGHER_IS_BETTER` are better when they are higher. All others, with names
    that are not known here among them, count as distances.

    Args:
        values: At least one metric by its name.
    """
    name = next(iter(values))
    return name, not (name in _HIGHER_IS_BETTER or name.startswith(_SCORE_PREFIX))


def cost(values: Mapping[str, float]) -> float:
    """The deciding metric as a number that is lower where the generator is better.

    It is the metric itself, or its inverse where higher is better, so that a ratio of two costs is how many times worse
    one is than the other.

    Args:
        values: At least one metric by its name.
    """
    name, lower_is_better = name_and_direction(values)
    return values[name] if lower_is_better else 1.0 / max(values[name], 1e-12)
