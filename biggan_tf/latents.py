"""What the generator is fed: priors, truncation and labels. Every draw depends on its key alone.

A key is an integer tensor of two numbers, as TensorFlow's stateless generators take. How z is split into hierarchical
chunks is the generator's affair (`Generator.latent_chunk_sizes`). Latents are float32 under every policy: a float64
network widens them, and so sees what the float32 network sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

STUDENT_T_DEGREES = 5  # the fewest whose kurtosis is finite
# Named, because the automatic choice depends on the device. Under XLA the same name still draws other values.
_ALGORITHM = "philox"
TRUNCATIONS = ("hub", "resampling", "scaling")


def fold(key: Any, number: Any) -> Any:
    """Another key, made of a key and a number."""
    return tf.random.fold_in(key, tf.cast(number, tf.int32), alg=_ALGORITHM)


def _normal(shape: Sequence[int], key: Any) -> Any:
    return tf.random.stateless_normal(shape, key, alg=_ALGORITHM)


def _uniform(shape: Sequence[int], key: Any, low: Any = 0.0, high: Any = 1.0, dtype: Any = tf.float32) -> Any:
    return tf.random.stateless_uniform(shape, key, low, high, dtype, alg=_ALGORITHM)


def normal(key: Any, shape: Sequence[int]) -> Any:
    """N(0, 1), the paper's choice."""
    return _normal(shape, key)


def uniform(key: Any, shape: Sequence[int]) -> Any:
    """U(-1, 1)."""
    return _uniform(shape, key, -1.0, 1.0)


def student_t(key: Any, shape: Sequence[int]) -> Any:
    """Student's t with `STUDENT_T_DEGREES` degrees of freedom: heavier tails than the normal's."""
    numerator = _normal(shape, fold(key, 0))
    # A chi-square as a sum of squares: unlike a gamma draw it compiles under XLA.
    squares = tf.square(_normal([STUDENT_T_DEGREES, *shape], fold(key, 1)))
    return numerator / tf.sqrt(tf.reduce_mean(squares, axis=0))


def bernoulli(key: Any, shape: Sequence[int]) -> Any:
    """0 or 1, equally likely (arXiv:1809.11096, appendix E)."""
    return tf.cast(_uniform(shape, key) < 0.5, tf.float32)


def censored_normal(key: Any, shape: Sequence[int]) -> Any:
    """The larger of N(0, 1) and 0 (arXiv:1809.11096, appendix E)."""
    return tf.nn.relu(_normal(shape, key))


Prior = Callable[[Any, Sequence[int]], Any]
PRIORS: dict[str, Prior] = {
    "normal": normal,
    "uniform": uniform,
    "student_t": student_t,
    "bernoulli": bernoulli,
    "censored_normal": censored_normal,
}


def truncated_normal(key: Any, shape: Sequence[int], truncation: float, method: str = "hub") -> Any:
    """Latents for sampling, by one of three definitions that must not be mixed.

    Args:
        key: See the module.
        shape: [N, z_dim].
        truncation: Larger than 0.
        method: "hub": truncation times a normal cut off at +-2 (the published modules). "resampling": draws again
            whatever exceeds the truncation (arXiv:1809.11096, section 3.1). "scaling": scales the deviation.

    Returns:
        float32 [N, z_dim].
    """
    if truncation <= 0:
        raise ValueError(f"The truncation must be larger than 0. Received: truncation={truncation}")
    if method == "hub":
        return truncation * tf.random.stateless_truncated_normal(shape, key, alg=_ALGORITHM)
    if method == "scaling":
        return truncation * _normal(shape, key)
    if method != "resampling":
        raise ValueError(f"method must be one of {', '.join(TRUNCATIONS)}. Received: method={method!r}")
    # The inverse of the distribution function: what endless resampling ends in, in one draw.
    low = tf.constant(0.5 * (1.0 - math.erf(truncation / math.sqrt(2.0))), tf.float64)
    draws = _uniform(shape, key, low, 1.0 - low, dtype=tf.float64)
    values = tf.cast(tf.math.ndtri(draws), tf.float32)
    return tf.clip_by_value(values, -truncation, truncation)


class LabelSampler:
    """Draws class labels.

    Args:
        num_classes: How many there are; 0: all labels are 0.
        frequencies: Of each class, any positive scale; None: all the same.

    Example:
        >>> LabelSampler(3, [1, 1, 2])(tf.constant([0, 1]), 8)
    """

    def __init__(self, num_classes: int, frequencies: Sequence[float] | None = None):
        self.num_classes = num_classes
        self._ends: np.ndarray | None = None
        if frequencies is None:
            return
        values = np.asarray(frequencies, np.float64)
        if values.shape != (num_classes,) or values.min() < 0 or values.sum() <= 0:
            raise ValueError(
                f"frequencies must hold {num_classes} numbers, none negative and not all 0. "
                f"Received: {values.size} numbers from {values.min(initial=0)} to {values.max(initial=0)}"
            )
        self._ends = np.cumsum(values / values.sum())[:-1]

    def __call__(self, key: Any, count: int) -> Any:
        """`count` labels, int32."""
        if not self.num_classes:
            return tf.zeros([count], tf.int32)
        if self._ends is None:
            return _uniform([count], key, 0, self.num_classes, dtype=tf.int32)
        draws = _uniform([count], key, dtype=tf.float64)
        return tf.reduce_sum(tf.cast(draws[:, None] >= self._ends, tf.int32), axis=1)
