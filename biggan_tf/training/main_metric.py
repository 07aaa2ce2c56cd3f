"""Which of an evaluation's numbers decides, and in which direction: for the best checkpoint and for collapse."""

from __future__ import annotations

from collections.abc import Mapping

_HIGHER_IS_BETTER = ("is", "inception_score", "precision", "recall", "density", "coverage", "accuracy")


def main_metric(values: Mapping[str, float]) -> tuple[str, bool]:
    """The first number's name, and whether lower is better; distances, path lengths and the unknown are distances."""
    name = next(iter(values))
    return name, name not in _HIGHER_IS_BETTER


def cost(values: Mapping[str, float]) -> float:
    """The main metric as something to make small; for scores its inverse, so that ratios still mean worse or better."""
    name, lower_is_better = main_metric(values)
    return values[name] if lower_is_better else 1.0 / max(values[name], 1e-12)
