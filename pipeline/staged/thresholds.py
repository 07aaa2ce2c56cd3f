"""Decides whether a model is good enough, by bounds on its metrics and by comparison with the last blessed model."""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence

_FORM = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*([-+.\deE]+)\s*")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt
}  # fmt: skip


class ThresholdError(ValueError):
    """The text of a threshold cannot be read."""


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A bound on one metric.

    Attributes:
        metric: Name of the metric, e.g. "accuracy".
        relation: How its value must stand to the bound: "<=", ">=", "<" or ">".
        bound: The bound.
    """

    metric: str
    relation: str
    bound: float

    def is_met(self, value: float) -> bool:
        """Whether a value meets the bound; NaN never does."""
        return _COMPARE[self.relation](value, self.bound)


def parse(text: str) -> Threshold:
    """Reads a threshold such as "accuracy >= 0.8".

    Raises:
        ThresholdError: If the text has another form.
    """
    match = _FORM.fullmatch(text)
    try:
        if match:
            return Threshold(match[1], match[2], float(match[3]))
    except ValueError:
        pass
    raise ThresholdError(f"a threshold must read like 'accuracy >= 0.8'. Received: {text!r}.")


def reasons_not_to_bless(
    metrics: Mapping[str, float],
    thresholds: Sequence[str],
    baseline: Mapping[str, float] | None,
    must_not_worsen: Sequence[str],
    tolerance: float,
    is_lower_better: Callable[[str], bool],
) -> list[str]:
    """Why a model is not blessed, a sentence each; empty when it is.

    Args:
        metrics: The model's metrics by name.
        thresholds: Bounds that the metrics must meet, such as "accuracy >= 0.8".
        baseline: The metrics of the last blessed model, measured by the same protocol; None: there is no such model.
        must_not_worsen: Names of the metrics to compare with the baseline's. Without a baseline they must be numbers.
        tolerance: By which share of the baseline's value these may be worse, e.g. 0.05 for 5%.
        is_lower_better: Says for a metric's name whether a lower value is better.
    """
    reasons = []
    for bound in map(parse, thresholds):
        value = metrics.get(bound.metric)
        if value is None:
            reasons.append(f"{bound.metric} has a threshold and was not measured; measured: {', '.join(metrics)}")
        elif not bound.is_met(value):
            reasons.append(f"{bound.metric} is {value:.4g}, the threshold is {bound.relation} {bound.bound:g}")
    for name in must_not_worsen:
        value, earlier = metrics.get(name), None if baseline is None else baseline.get(name)
        if value is None:
            reasons.append(f"{name} must not worsen and was not measured; measured: {', '.join(metrics)}")
        elif earlier is not None and math.isnan(earlier):
            reasons.append(
                f"{name} must not worsen, and the last blessed model's is no number, with which nothing can be "
                "compared; set must_not_worsen=() once, so that the next model is blessed by its thresholds alone"
            )
        elif earlier is not None:
            allowed = abs(earlier) * tolerance
            worse_by = value - earlier if is_lower_better(name) else earlier - value
            if not worse_by <= allowed:  # nor if it is NaN
                reasons.append(
                    f"{name} is {value:.4g}, the last blessed model's is {earlier:.4g}; at most {allowed:.3g} worse is "
                    "allowed"
                )
        elif baseline is not None:
            reasons.append(f"{name} must not worsen and was not measured of the last blessed model")
        elif math.isnan(value):
            reasons.append(f"{name} must not worsen and is no number, which later models could not be compared with")
    return reasons
