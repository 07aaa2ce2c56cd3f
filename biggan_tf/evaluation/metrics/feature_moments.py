"""Mean and covariance of features, summed in pieces and merged in any order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Float64


@dataclasses.dataclass(frozen=True)
class FeatureMoments:
    """Count, mean and scatter of the features of a set of images, in float64.

    The scatter is the sum of the outer products of (features - mean). Products about zero would be so large that the
    digits of the covariance were lost in their difference.

    Attributes:
        count: How many images there are in the set.
        mean: The mean of each feature.
        scatter: (count - 1) times the covariance.
    """

    count: int
    mean: Float64[np.ndarray, " F"]
    scatter: Float64[np.ndarray, "F F"]

    @classmethod
    def empty(cls, num_features: int) -> FeatureMoments:
        """The moments of no image at all."""
        return cls(0, np.zeros(num_features), np.zeros((num_features, num_features)))

    @classmethod
    def of(cls, features: Float[np.ndarray, "N F"]) -> FeatureMoments:
        """The moments of one block of features, all finite."""
        if features.ndim != 2 or not np.all(np.isfinite(features)):
            raise ValueError(
                "features must be finite, of shape [N, F]. Received: shape "
                f"{features.shape} with {np.count_nonzero(~np.isfinite(features))} non-finite values"
            )
        block = features.astype(np.float64)
        if not len(block):
            return cls.empty(block.shape[1])
        mean = block.mean(axis=0)
        block -= mean
        return cls(len(block), mean, block.T @ block)

    @classmethod
    def merged(cls, parts: Iterable[FeatureMoments]) -> FeatureMoments:
        """The moments of the union of several sets, which must not be empty."""
        parts = list(parts)
        if not parts:
            raise ValueError("there must be at least one part to merge. Received: none")
        total = parts[0]
        for part in parts[1:]:
            total = total.merge(part)
        return total

    def merge(self, other: FeatureMoments) -> FeatureMoments:
        """The moments of the union of two sets of images."""
        if self.mean.shape != other.mean.shape:
            raise ValueError(
                "moments of different features cannot be merged. Received: "
                f"{self.mean.size} and {other.mean.size} features"
            )
        count = self.count + other.count
        if not count:
            return self
        # Chan, Golub and LeVeque, 1983, equation 2.1: with d the difference of the means,
        # mean = mean_a + d n_b / n, scatter = scatter_a + scatter_b + d d^T n_a n_b / n.
        difference = other.mean - self.mean
        mean = self.mean + difference * (other.count / count)
        between = np.outer(difference, difference) * (self.count * other.count / count)
        return FeatureMoments(count, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Float64[np.ndarray, "F F"]:
        """The unbiased covariance; it needs two images."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 images. Received: {self.count}")
        return self.scatter / (self.count - 1)
