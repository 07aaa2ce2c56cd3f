"""The kernel distance KID (Binkowski et al., 2018, arXiv:1801.01401, section 4), unbiased for any number of images."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from biggan_tf.progress import track


@dataclasses.dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation of the squared maximum mean discrepancy over the subsets."""

    mean: float
    deviation: float


def kernel_distance(
    real: Float[np.ndarray, "N F"],
    generated: Float[np.ndarray, "M F"],
    *,
    num_subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> KernelDistance:
    """KID of two sets of features.

    Args:
        real: Features of real images.
        generated: Features of generated images.
        num_subsets: How many pairs of random subsets are averaged.
        subset_size: Images in a subset, drawn without replacement. Where a set has fewer, all of it.
        seed: Decides the subsets.
        progress: Whether a bar counts the subsets; not by default.
    """
    size = min(subset_size, len(real), len(generated))
    if size < 2 or num_subsets < 1:
        raise ValueError(
            "a kernel distance needs at least 1 subset of at least 2 images. Received: "
            f"num_subsets={num_subsets}, {len(real)} real and {len(generated)} generated images"
        )
    random = np.random.default_rng(seed)
    values = [
        squared_discrepancy(
            real[random.choice(len(real), size, replace=False)],
            generated[random.choice(len(generated), size, replace=False)],
        )
        for _ in track(range(num_subsets), num_subsets, "kid", "subset", progress)
    ]
    return KernelDistance(float(np.mean(values)), float(np.std(values)))


def squared_discrepancy(x: Float[np.ndarray, "N F"], y: Float[np.ndarray, "M F"]) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy between two sets of features."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    within_x, within_y = _kernel(x, x), _kernel(y, y)
    n, m = len(x), len(y)
    # Gretton et al., 2012, equation 3:
    # MMD^2 = sum_{i != j} k(x_i, x_j) / n(n - 1) + sum_{i != j} k(y_i, y_j) / m(m - 1) - 2 sum_{i, j} k(x_i, y_j) / nm.
    mean_x = (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
    mean_y = (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
    return float(mean_x + mean_y - 2.0 * _kernel(x, y).mean())


def _kernel(x: Float[np.ndarray, "N F"], y: Float[np.ndarray, "M F"]) -> Float[np.ndarray, "N M"]:
    # Binkowski et al., 2018, section 4: k(x, y) = (x.y / F + 1)^3 for F features.
    return (x @ y.T / x.shape[1] + 1.0) ** 3
