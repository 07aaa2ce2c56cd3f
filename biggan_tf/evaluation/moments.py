"""Mean and covariance of features, summed in pieces and merged in any order."""

import dataclasses
from collections.abc import Iterable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of the features seen so far, in float64.

    The scatter is the sum of outer products about the mean, not about zero, so that pieces merge
    without cancellation (Chan, Golub and LeVeque, 1983, equation 2.1).

    Attributes:
        count: how many features were seen.
        mean: float64 `[D]`.
        scatter: float64 `[D, D]`.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def empty(cls, num_features: int) -> "Moments":
        return cls(0, np.zeros(num_features), np.zeros((num_features, num_features)))

    @classmethod
    def of(cls, features: np.ndarray) -> "Moments":
        """The moments of one block of features `[N, D]`."""
        if features.ndim != 2 or not np.all(np.isfinite(features)):
            raise ValueError(
                "features must be finite, of shape [N, D]. Received: shape "
                f"{features.shape} with {np.count_nonzero(~np.isfinite(features))} non-finite values"
            )
        block = features.astype(np.float64)
        if not len(block):
            return cls.empty(block.shape[1])
        mean = block.mean(axis=0)
        block -= mean
        return cls(len(block), mean, block.T @ block)

    @classmethod
    def merged(cls, parts: Iterable["Moments"]) -> "Moments":
        """All parts in one, as if one pass had seen everything."""
        parts = list(parts)
        if not parts:
            raise ValueError("there must be at least one part to merge. Received: none")
        total = parts[0]
        for part in parts[1:]:
            total = total.merge(part)
        return total

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both together."""
        if self.mean.shape != other.mean.shape:
            raise ValueError(
                "moments of different features cannot be merged. Received: "
                f"{self.mean.size} and {other.mean.size} features"
            )
        count = self.count + other.count
        if not count:
            return self
        difference = other.mean - self.mean
        mean = self.mean + difference * (other.count / count)
        between = np.outer(difference, difference) * (self.count * other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> np.ndarray:
        """The unbiased covariance `[D, D]`."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 images. Received: {self.count}")
        return self.scatter / (self.count - 1)
