"""Precision, recall, density and coverage from balls around the features.

Every distance matrix is walked in blocks: of 50,000 x 50,000 distances no more than
`block_size` x 50,000 stand in memory.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np


@dataclasses.dataclass(frozen=True)
class ManifoldScores:
    """How much of each set lies within the other's balls.

    Improved precision and recall: Kynkäänniemi et al., 2019, equations 1 and 2. Density and coverage: Naeem et al.,
    2020, equations 4 and 8.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold_scores(
    real: np.ndarray, generated: np.ndarray, *, nearest_k: int = 5, block_size: int = 1024
) -> ManifoldScores:
    """The four scores of features `[N, D]` and `[M, D]`.

    Args:
        real: features of real images.
        generated: features of generated ones.
        nearest_k: a ball reaches to the k-th nearest neighbour among its own kind, itself left out.
        block_size: rows of a distance matrix in memory at a time.
    """
    if not 1 <= nearest_k < min(len(real), len(generated)):
        raise ValueError(
            f"nearest_k must be at least 1 and below the number of images ({len(real)} real, "
            f"{len(generated)} generated). Received: nearest_k={nearest_k}"
        )
    real_radii = neighbour_distances(real, nearest_k, block_size)
    generated_radii = neighbour_distances(generated, nearest_k, block_size)
    inside_any_real = np.zeros(len(generated), bool)
    inside_real_count = 0
    recalled = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for rows, distances in _distance_blocks(real, generated, block_size):
        inside_real = distances <= real_radii[rows, None]
        inside_any_real |= inside_real.any(axis=0)
        inside_real_count += int(np.count_nonzero(inside_real))
        covered[rows] = inside_real.any(axis=1)
        recalled[rows] = (distances <= generated_radii[None, :]).any(axis=1)
    return ManifoldScores(
        precision=float(inside_any_real.mean()),
        recall=float(recalled.mean()),
        density=inside_real_count / (nearest_k * len(generated)),
        coverage=float(covered.mean()),
    )


def neighbour_distances(features: np.ndarray, k: int, block_size: int = 1024) -> np.ndarray:
    """Squared distance of each feature to its k-th nearest other one, `[N]`."""
    radii = np.empty(len(features))
    for rows, distances in _distance_blocks(features, features, block_size):
        distances[np.arange(len(distances)), np.arange(len(features))[rows]] = -1.0  # Itself.
        radii[rows] = np.partition(distances, k, axis=1)[:, k]
    return radii


def nearest_neighbours(queries: np.ndarray, features: np.ndarray, k: int = 1, block_size: int = 1024) -> np.ndarray:
    """Indices `[Q, k]` of the k features nearest to each query, nearest first."""
    found = np.empty((len(queries), k), np.int64)
    for rows, distances in _distance_blocks(queries, features, block_size):
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(distances, nearest, axis=1), axis=1)
        found[rows] = np.take_along_axis(nearest, order, axis=1)
    return found


def _distance_blocks(a: np.ndarray, b: np.ndarray, block_size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances `[<= block_size, M]` of consecutive rows of `a` to all of `b`, float64."""
    # Distances do not change when both move; about the mean the products lose fewer digits.
    centre = b.mean(axis=0, dtype=np.float64)
    norms = np.concatenate([np.sum((part - centre) ** 2, axis=1) for part in _parts(b, block_size)])
    for start in range(0, len(a), block_size):
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


def _parts(features: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(features), size):
        yield features[start : start + size]
