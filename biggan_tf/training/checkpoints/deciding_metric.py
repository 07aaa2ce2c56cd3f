"""Which of an evaluation's numbers decides which checkpoint is the best, and whether a run has collapsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from biggan_tf.config import metric_names

_HIGHER_IS_BETTER = (
    "is",
    "inception_score",
    "precision",
    "recall",
    "density",
    "coverage",
    "accuracy",
    "psnr",
    "ssim",
    "eq_t_integer",
    "eq_t_fractional",
    "eq_r",
)
_SCORE_PREFIX = "is_"  # of the Inception score under other features


def name_and_direction(values: Mapping[str, float], asked: Sequence[str] = ()) -> tuple[str, bool]:
    """The name of the metric that decides, and whether lower values of it are better.

    Only Inception scores and the metrics of `_HIGHER_IS_BETTER` are better when they are higher. All others, with names
    that are not known here among them, count as distances.

    Args:
        values: At least one metric by its name.
        asked: The metrics that a configuration asks for, of which the first decides; (): the first of the values does.
    """
    name = metric_names.deciding(asked, values) if asked else next(iter(values))
    return name, not (name in _HIGHER_IS_BETTER or name.startswith(_SCORE_PREFIX))


def cost(values: Mapping[str, float], asked: Sequence[str] = ()) -> float:
    """The deciding metric as a number that is lower where the generator is better.

    It is the metric itself, or its inverse where higher is better, so that a ratio of two costs is how many times worse
    one is than the other.

    Args:
        values: At least one metric by its name.
        asked: The metrics that a configuration asks for, of which the first decides; (): the first of the values does.
    """
    name, lower_is_better = name_and_direction(values, asked)
    return values[name] if lower_is_better else 1.0 / max(values[name], 1e-12)
