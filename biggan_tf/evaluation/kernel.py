"""The kernel distance (Binkowski et al., 2018, section 4): unbiased, whatever the number of images."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation of the squared maximum mean discrepancy over the subsets."""

    mean: float
    deviation: float


def kernel_distance(
    real: np.ndarray,
    generated: np.ndarray,
    *,
    num_subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> KernelDistance:
    """KID of features `[N, D]` and `[M, D]`.

    Args:
        real: features of real images.
        generated: features of generated ones.
        num_subsets: how many pairs of random subsets are averaged.
        subset_size: images in a subset, drawn without replacement; at most N and M are taken.
        seed: of the choice of subsets.
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
        for _ in range(num_subsets)
    ]
    return KernelDistance(float(np.mean(values)), float(np.std(values)))


def squared_discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate of MMD^2 under the kernel (x.y / D + 1)^3 (Gretton, 2012, equation 3)."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    within_x, within_y = _kernel(x, x), _kernel(y, y)
    n, m = len(x), len(y)
    mean_x = (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
    mean_y = (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
    return float(mean_x + mean_y - 2.0 * _kernel(x, y).mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1.0) ** 3
