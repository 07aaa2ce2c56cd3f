"""The Fréchet distance between two Gaussians (Heusel et al., 2017, arXiv:1706.08500, equation 6)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from biggan_tf.evaluation.metrics.feature_moments import FeatureMoments


@dataclasses.dataclass(frozen=True)
class FrechetDistance:
    """The distance and its two parts: the means differ, or the covariances do.

    Attributes:
        mean: |m_a - m_b|^2, the squared distance between the means.
        covariance: Tr(A + B - 2 (A B)^1/2) of the covariances A and B.
    """

    mean: float
    covariance: float

    @property
    def total(self) -> float:
        # Heusel et al., 2017, equation 6: d^2 = |m_a - m_b|^2 + Tr(A + B - 2 (A B)^1/2).
        return self.mean + self.covariance


def frechet_distance(a: FeatureMoments, b: FeatureMoments) -> FrechetDistance:
    """The distance between the Gaussians that two sets of moments describe."""
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"both moments must be of the same features. Received: {a.mean.size} and {b.mean.size} features"
        )
    first, second = a.covariance, b.covariance
    root = trace_of_root(first, second)
    covariance = float(np.trace(first) + np.trace(second) - 2.0 * root)
    # The exact value is never negative; rounding can make that of two equal sets so.
    return FrechetDistance(float(np.sum((a.mean - b.mean) ** 2)), max(covariance, 0.0))


def trace_of_root(a: Float[np.ndarray, "F F"], b: Float[np.ndarray, "F F"]) -> float:
    """Tr((A B)^1/2) of two positive semi-definite matrices.

    With A = R R^T, the product A B has the eigenvalues of the symmetric R^T B R, which are real and not negative
    whatever the ranks are; `sqrtm` of A B itself turns complex where there are more features than images. R leaves out
    the null space of A, so that no square root is taken of its rounding errors.
    """
    values, vectors = np.linalg.eigh(a)
    kept = values > _noise(values)
    factor = vectors[:, kept] * np.sqrt(values[kept])
    values = np.linalg.eigvalsh(factor.T @ b @ factor) if kept.any() else np.zeros(1)
    return float(np.sum(np.sqrt(values[values > _noise(values)])))


def frechet_distance_of_features(a: Float[np.ndarray, "N F"], b: Float[np.ndarray, "M F"]) -> FrechetDistance:
    """The same distance computed from the features themselves, fast where there are fewer images than features.

    Tr((A B)^1/2) is the sum of the singular values of the N x M matrix X Y^T, where X = (features - mean) / sqrt(N - 1)
    and Y likewise. The F x F covariances are never formed, which makes a distance for each class affordable.
    """
    if min(len(a), len(b)) < 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            f"two sets of at least 2 features of one size are needed. Received: shapes {a.shape} and {b.shape}"
        )
    mean_a, mean_b = a.mean(axis=0, dtype=np.float64), b.mean(axis=0, dtype=np.float64)
    scaled_a = (a - mean_a) / np.sqrt(len(a) - 1)
    scaled_b = (b - mean_b) / np.sqrt(len(b) - 1)
    root = np.linalg.svd(scaled_a @ scaled_b.T, compute_uv=False).sum()
    covariance = float(np.sum(scaled_a**2) + np.sum(scaled_b**2) - 2.0 * root)
    return FrechetDistance(float(np.sum((mean_a - mean_b) ** 2)), max(covariance, 0.0))


def too_few(num_features: int, counts: Mapping[str, int], what: str = "images") -> tuple[str, ...]:
    """A sentence where a covariance is taken of too few features; () where there are enough.

    Args:
        num_features: How many numbers a feature has.
        counts: How many features there are of each of the two sets, by what the set is called, such as "real".
        what: What a feature is computed from, in the plural.
    """
    few = " and ".join(f"{count} {name}" for name, count in counts.items() if count <= num_features)
    if not few:
        return ()
    return (
        f"The covariance of {num_features} features needs more than {num_features} {what}; there are {few}. The "
        "distance is too large then, by an amount that depends on the number: compare it with distances of as many "
        f"{what} alone.",
    )


def _noise(values: np.ndarray) -> float:
    """The bound below which one of these eigenvalues cannot be told from 0, given the rounding of float64."""
    return len(values) * np.finfo(np.float64).eps * float(np.max(np.abs(values), initial=0.0))
