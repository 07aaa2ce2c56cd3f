"""Which values a row of a request may have: an export's graph and the server that loads it hold to the same list.

The list travels in the export as `assets/input_limits.json`, so that a server needs no configuration to know it. It
imports nothing heavy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from serving import signatures as s

_MAX_RULE_CHARS = 200
_SHOWN_ROWS = 3


@dataclass(frozen=True)
class InputLimit:
    """What the values of one input must be.

    Attributes:
        rule: The limit as a sentence, e.g. "label must be in [0, 10)".
        low: The smallest value that is allowed; None: any finite one.
        high: The largest; None: any finite one.
    """

    rule: str
    low: float | None = None
    high: float | None = None

    def fits(self, values: np.ndarray) -> np.ndarray:
        """Whether each row, a slice along the first axis, is within the limit: bool [N]. NaN is not."""
        if self.low is None or self.high is None:
            inside = np.isfinite(values)
        else:
            inside = (values >= self.low) & (values <= self.high)
        return inside.all(axis=tuple(range(1, inside.ndim)))

    def refusal(self, values: np.ndarray, bad_rows: np.ndarray) -> str:
        """The message for rows of a request that are not within the limit.

        Args:
            values: The input, [N, ...].
            bad_rows: The numbers of its rows that are out of bounds.
        """
        shown = [f"{_first_outside(self, values[row])} in row {row}" for row in bad_rows[:_SHOWN_ROWS]]
        more = f" and {len(bad_rows) - _SHOWN_ROWS} more" if len(bad_rows) > _SHOWN_ROWS else ""
        return f"{self.rule}. Received: {', '.join(shown)}{more}"


def limits_for(
    sizes: Mapping[str, int], truncations: tuple[float, float] = (s.MIN_TRUNCATION, s.MAX_TRUNCATION)
) -> dict[str, InputLimit]:
    """The limits of every input that has any, by its name.

    Args:
        sizes: The sizes of the model by the names that shapes use. A model without classes takes the label 0, and only
            one with styles takes inputs that have to do with these.
        truncations: The smallest and the largest truncation; by default those of latents.
    """
    classes = max(sizes["num_classes"], 1)
    least, most = truncations
    # A float32 truncation that was computed, such as 0.1 * 0.2, may lie below the bound by its last bit.
    low = float(np.float32(least - 1e-6)) if least > 0 else 0.0
    of_styles = {
        s.STYLES: InputLimit(f"{s.STYLES} must be finite"),
        s.CUTOFF: InputLimit("cutoff must be 0 or more, or -1", s.OWN_CUTOFF, s.ALL_LAYERS),
    }
    return {
        s.LABEL: InputLimit(f"label must be in [0, {classes})", 0, classes - 1),
        s.TRUNCATION: InputLimit(f"truncation must be in [{least}, {most}]", low, most),
        **(of_styles if "num_styles" in sizes else {}),
        **{alias: InputLimit(f"{alias} must be finite") for alias in (s.LATENT, s.CLASS_WEIGHTS, s.IMAGES)},
    }


def of_pictures(max_pixels: int) -> dict[str, InputLimit]:
    """The limits of a model that enlarges pictures.

    Args:
        max_pixels: The most pixels of all pictures of a request together.
    """
    rule = f"{s.IMAGE_BYTES} must be PNG, JPEG or WebP files of at most {max_pixels} pixels in a request"
    return {s.IMAGE_BYTES: InputLimit(rule, 1, max_pixels)}


def to_json(limits: Mapping[str, InputLimit]) -> str:
    """The text of the asset."""
    return json.dumps({alias: asdict(limit) for alias, limit in limits.items()}, indent=1)


def from_json(text: str) -> dict[str, InputLimit]:
    """Reads what `to_json` wrote.

    Raises:
        ValueError: The text is something else.
    """
    try:
        return {alias: _read(**entry) for alias, entry in json.loads(text).items()}
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"Each input must have a rule and two bounds. Received: {text[:_MAX_RULE_CHARS]}") from error


def _read(rule: str, low: float | None, high: float | None) -> InputLimit:
    bounds = [bound for bound in (low, high) if bound is not None]
    numbers = all(type(bound) in (int, float) and abs(bound) < 2**53 for bound in bounds)  # NaN is not below it
    if not isinstance(rule, str) or len(rule) > _MAX_RULE_CHARS or len(bounds) == 1 or not numbers:
        received = f"{rule!r}, {low!r}, {high!r}"[:_MAX_RULE_CHARS]
        raise ValueError(f"A limit must be a sentence and two numbers or none. Received: {received}")
    return InputLimit(rule, low, high)


def _first_outside(limit: InputLimit, row: np.ndarray) -> str:
    """The first value of a row that is out of bounds, as text."""
    flat = np.atleast_1d(row).reshape(-1)
    return str(flat[~limit.fits(flat)][0].item())
