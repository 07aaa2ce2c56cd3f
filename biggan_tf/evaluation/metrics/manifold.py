"""Precision, recall, density and coverage from balls around the features.

A ball about a feature reaches to its k-th nearest neighbour in the same set; the union of a set's balls stands for the
manifold that the set was drawn from. Distances are computed in blocks of rows, so that of 50,000 x 50,000 of them no
more than `block_size` x 50,000 are in memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float64, Int64

from biggan_tf.progress import track


@dataclasses.dataclass(frozen=True)
class ManifoldScores:
    """How much of each set lies within the other's balls.

    Precision and recall are those of Kynkäänniemi et al., 2019, arXiv:1904.06991, density and coverage those of
    Naeem et al., 2020, arXiv:2002.09797.

    Attributes:
        precision: From 0 to 1: how many samples look real.
        recall: From 0 to 1: how many real images could have been generated.
        density: The mean number of balls of real images that a sample lies in, divided by k; it may exceed 1. Outliers
            among the real images matter less to it than to precision.
        coverage: From 0 to 1: how many real images have a sample near them.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold_scores(
    real: Float[np.ndarray, "N F"],
    generated: Float[np.ndarray, "M F"],
    *,
    nearest_k: int = 5,
    block_size: int = 1024,
    progress: bool = False,
) -> ManifoldScores:
    """The four scores of two sets of features.

    Args:
        real: Features of real images.
        generated: Features of generated images.
        nearest_k: The k of the balls. Density and coverage were published with 5, precision and recall with 3.
        block_size: How many rows of a distance matrix are in memory at a time.
        progress: Whether bars tell how far each of the three matrices of distances is; not by default.
    """
    if not 1 <= nearest_k < min(len(real), len(generated)):
        raise ValueError(
            f"nearest_k must be at least 1 and below the number of images ({len(real)} real, "
            f"{len(generated)} generated). Received: nearest_k={nearest_k}"
        )
    names = [f"prdc, {part}" if progress else "" for part in ("real images", "samples", "both")]
    real_radii = neighbour_distances(real, nearest_k, block_size, names[0])
    generated_radii = neighbour_distances(generated, nearest_k, block_size, names[1])
    inside_any_real = np.zeros(len(generated), bool)
    inside_real_count = 0
    recalled = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for rows, distances in _distance_blocks(real, generated, block_size, names[2]):
        inside_real = distances <= real_radii[rows, None]
        inside_any_real |= inside_real.any(axis=0)
        inside_real_count += int(np.count_nonzero(inside_real))
        covered[rows] = inside_real.any(axis=1)
        recalled[rows] = (distances <= generated_radii[None, :]).any(axis=1)
    # For N real features X_i, M generated features Y_j, and B the ball about a feature:
    return ManifoldScores(
        # Kynkäänniemi et al., 2019, equations 1 and 2: 1/M sum_j [Y_j in any B(X_i)] ...
        precision=float(inside_any_real.mean()),
        # ... and 1/N sum_i [X_i in any B(Y_j)].
        recall=float(recalled.mean()),
        # Naeem et al., 2020, equation 4: 1/(k M) sum_j sum_i [Y_j in B(X_i)].
        density=inside_real_count / (nearest_k * len(generated)),
        # Naeem et al., 2020, equation 8: 1/N sum_i [any Y_j in B(X_i)].
        coverage=float(covered.mean()),
    )


def neighbour_distances(
    features: Float[np.ndarray, "N F"], k: int, block_size: int = 1024, progress: str = ""
) -> Float64[np.ndarray, " N"]:
    """The squared distance of each feature to its k-th nearest other one.

    Args:
        features: The features.
        k: Which neighbour.
        block_size: How many rows of the distances are in memory at a time.
        progress: The name of a bar that counts the rows; "": no bar.
    """
    radii = np.empty(len(features))
    for rows, distances in _distance_blocks(features, features, block_size, progress):
        distances[np.arange(len(distances)), np.arange(len(features))[rows]] = -1.0  # The feature itself comes first.
        radii[rows] = np.partition(distances, k, axis=1)[:, k]
    return radii


def nearest_neighbours(
    queries: Float[np.ndarray, "Q F"], features: Float[np.ndarray, "N F"], k: int = 1, block_size: int = 1024
) -> Int64[np.ndarray, "Q K"]:
    """The indices of the k features nearest to each query, nearest first."""
    indices = np.empty((len(queries), k), np.int64)
    for rows, distances in _distance_blocks(queries, features, block_size):
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(distances, nearest, axis=1), axis=1)
        indices[rows] = np.take_along_axis(nearest, order, axis=1)
    return indices


def _distance_blocks(
    a: Float[np.ndarray, "N F"], b: Float[np.ndarray, "M F"], block_size: int, progress: str = ""
) -> Iterator[tuple[slice, Float64[np.ndarray, "B M"]]]:
    """Squared distances of consecutive rows of `a`, at most `block_size`, to all of `b`."""
    # Taking one centre off both sets changes no distance, and keeps the products small, so that they lose fewer digits.
    centre = b.mean(axis=0, dtype=np.float64)
    norms = np.concatenate([np.sum((part - centre) ** 2, axis=1) for part in _parts(b, block_size)])
    starts = range(0, len(a), block_size)
    for start in track(starts, len(starts), progress, "block", bool(progress)):
        rows = slice(start, min(start + block_size, len(a)))
        block = a[rows] - centre
        distances = np.empty((len(block), len(b)))
        for first in range(0, len(b), block_size):
            part = b[first : first + block_size] - centre
            np.matmul(block, part.T, out=distances[:, first : first + len(part)])
        distances *= -2.0
        distances += np.sum(block**2, axis=1)[:, None]
        distances += norms
        yield rows, np.maximum(distances, 0.0, out=distances)


def _parts(features: Float[np.ndarray, "N F"], size: int) -> Iterator[Float[np.ndarray, "B F"]]:
    for start in range(0, len(features), size):
        yield features[start : start + size]
