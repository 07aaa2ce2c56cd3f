"""The random inputs of a generator: latents from a prior, latents for sampling with truncation, and class labels.

Each depends on its key alone, so that a run that resumes goes on with the same ones. A key is a tensor of two integers,
which TensorFlow's stateless random operations take. Latents are float32 under every policy: a float64 network widens
them, and so sees what the float32 network sees. How z is split into hierarchical chunks is left to the generator
(`FamilyConfig.latent_levels`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Int

from biggan_tf.config import parts
from biggan_tf.config.truncation import OF_LATENTS, TruncationRule
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.prior import Prior
from biggan_tf.types import Count, DType, Images, Key, Labels, Latents, RowKeys, Scalar, Tensor

STUDENT_T_DEGREES = 5  # the fewest whose kurtosis is finite
# Named, because the automatic choice depends on the device. Under XLA the same name still gives other values.
_ALGORITHM = "philox"
TRUNCATIONS = ("hub", "resampling", "scaling")

Values: TypeAlias = Float[Tensor, "*S"]  # of the shape that was asked for, mostly [N, z_dim]


def derive_key(key: Key, number: int | Count) -> Key:
    """A new key from a key and a number, such as that of a step, a replica or a row; each number gives another one."""
    return tf.random.fold_in(key, tf.cast(number, tf.int32), alg=_ALGORITHM)


def _normal(shape: Sequence[int], key: Key) -> Values:
    return tf.random.stateless_normal(shape, key, alg=_ALGORITHM)


def _uniform(
    shape: Sequence[int],
    key: Key,
    low: float | Scalar = 0.0,
    high: float | Scalar = 1.0,
    dtype: DType = tf.float32,
) -> Float[Tensor, "*S"] | Int[Tensor, "*S"]:
    return tf.random.stateless_uniform(shape, key, low, high, dtype, alg=_ALGORITHM)


def normal(key: Key, shape: Sequence[int]) -> Values:
    """N(0, 1), the paper's choice."""
    return _normal(shape, key)


def uniform(key: Key, shape: Sequence[int]) -> Values:
    """U(-1, 1)."""
    return _uniform(shape, key, -1.0, 1.0)


def student_t(key: Key, shape: Sequence[int]) -> Values:
    """Student's t with `STUDENT_T_DEGREES` degrees of freedom, whose tails are heavier than the normal's."""
    # t = n / sqrt(chi^2 / d), where n is normal and chi^2 a sum of d squared normals. Such a sum, unlike TensorFlow's
    # gamma distribution, compiles under XLA.
    numerator = _normal(shape, derive_key(key, 0))
    squares = tf.square(_normal([STUDENT_T_DEGREES, *shape], derive_key(key, 1)))
    return numerator / tf.sqrt(tf.reduce_mean(squares, axis=0))


def bernoulli(key: Key, shape: Sequence[int]) -> Values:
    """0 or 1, equally likely (arXiv:1809.11096, appendix E)."""
    return tf.cast(_uniform(shape, key) < 0.5, tf.float32)


def censored_normal(key: Key, shape: Sequence[int]) -> Values:
    """The larger of N(0, 1) and 0 (arXiv:1809.11096, appendix E)."""
    return tf.nn.relu(_normal(shape, key))


@functools.cache  # AutoGraph leaves cached functions alone; it cannot convert an import, and would warn of it
def prior(name: str) -> Prior:
    """The prior of a name in `PARTS["prior"]`."""
    return parts.load("prior", name)


def row_keys(key: Key, rows: int) -> RowKeys:
    """A key for each row; a row's depends on `key` and its own number alone."""
    return tf.random.stateless_uniform([rows, 2], key, None, None, tf.int64, alg=_ALGORITHM)


def unit_uniform(key: Key, shape: Sequence[int]) -> Values:
    """U(0, 1), for choices that are no latents."""
    return _uniform(shape, key)


def truncated_normal(key: Key, shape: Sequence[int], truncation: float | Scalar, method: str = "hub") -> Values:
    """Latents for sampling, by one of three definitions of truncation, whose results must not be compared.

    Args:
        key: The key that decides the values.
        shape: The shape of the result, [N, z_dim].
        truncation: The threshold or factor, larger than 0. The smaller, the less the samples vary. A tensor of one
            number may be 0, too, which leaves no variety at all; so one graph can serve many truncations.
        method: "hub" multiplies a normal that is cut off at +-2 by the truncation, as the published modules do.
            "resampling" cuts a normal off at +-truncation, as section 3.1 of arXiv:1809.11096 does by sampling again
            what exceeds it. "scaling" multiplies a normal by the truncation.

    Returns:
        float32 [N, z_dim].
    """
    is_number = not tf.is_tensor(truncation)
    if is_number and truncation <= 0:
        raise ValueError(f"The truncation must be larger than 0. Received: truncation={truncation}")
    if method == "hub":
        return truncation * tf.random.stateless_truncated_normal(shape, key, alg=_ALGORITHM)
    if method == "scaling":
        return truncation * _normal(shape, key)
    if method != "resampling":
        raise ValueError(f"method must be one of {', '.join(TRUNCATIONS)}. Received: method={method!r}")
    # Not a cast of a number, which would round it to float32 first.
    threshold = tf.constant(truncation, tf.float64) if is_number else tf.cast(truncation, tf.float64)
    # The inverse of the distribution function: what endless resampling ends in, in one draw, so that no threshold costs
    # more than another. In float32 a threshold of 0.02 would leave 2**18 different values, in float64 it leaves 2**46.
    low = 0.5 * (1.0 - tf.math.erf(threshold / math.sqrt(2.0)))
    draws = _uniform(shape, key, low, 1.0 - low, dtype=tf.float64)
    values = tf.cast(tf.math.ndtri(draws), tf.float32)
    return tf.clip_by_value(values, -truncation, truncation)


def truncated(name: str, key: Key, shape: Sequence[int], truncation: float | Scalar, method: str = "hub") -> Values:
    """Truncated latents of the prior `name`.

    A normal is truncated by any method of `truncated_normal`. Of the other priors only "scaling" is defined, which
    multiplies their values by the truncation.
    """
    if name == "normal":
        return truncated_normal(key, shape, truncation, method)
    if method != "scaling":
        raise ValueError(f"only the normal prior can be truncated by {method}. Received: prior={name!r}; use scaling.")
    return truncation * prior(name)(key, shape)


def sampled(
    rule: TruncationRule,
    name: str,
    key: Key,
    shape: Sequence[int],
    truncation: float | Scalar | None,
    method: str = "hub",
) -> Values:
    """Latents to sample a family's images from.

    Args:
        rule: The family's. Where it truncates styles, the latents are those of the prior at any truncation.
        name: The prior.
        key: The key that decides the values.
        shape: The shape of the result, [N, z_dim].
        truncation: The threshold or factor of the latents; None: they are not truncated.
        method: What a truncation of latents means, see `truncated_normal`.
    """
    if truncation is None or rule.of_styles:
        return prior(name)(key, shape)
    return truncated(name, key, shape, truncation, method)


def noise_keys(seeds: Int[Tensor, " N"]) -> RowKeys:
    """The key of each row's noise, (seed, -1), int64; `row_latents` draws by (seed, 0), so that the two differ."""
    return tf.stack([seeds, -tf.ones_like(seeds)], axis=1)


def served_method(prior: str) -> str:
    """What a truncation of latents means in an export: a normal prior is cut off by it, values of others are scaled."""
    return "resampling" if prior == "normal" else "scaling"


def row_latents(
    seeds: Int[Tensor, " N"],
    truncations: Float[Tensor, " N"] | None,
    z_dim: int,
    prior: str = "normal",
    rule: TruncationRule = OF_LATENTS,
    method: str | None = None,
) -> Latents:
    """Latents that depend on the seed of their row alone: the same ones when served, on a page, in commands, in Python.

    They are those of `sampled`, with a key of the row's seed alone: a normal prior is cut off at +-truncation
    ("resampling"), and values of other priors are multiplied by the truncation ("scaling"). Where styles are truncated,
    latents are those of the prior itself and the same at every truncation. A row costs the same at any truncation, so
    no request can ask for endless draws. The key does not depend on the label, so that one seed shows different classes
    in the same pose.

    Args:
        seeds: A number for each row, int64, that decides its latents.
        truncations: The threshold or factor of each row, larger than 0 and at most 1; None: no row is truncated.
        z_dim: Values of a latent.
        prior: Name of the distribution, in `PARTS["prior"]`.
        rule: The truncation rule of the generator's family; the default one truncates latents.
        method: What a truncation of latents means; None: as an export does it, see above.

    Returns:
        float32 [N, z_dim].
    """
    by = method or served_method(prior)

    def draw(row: tuple[Tensor, Tensor | None]) -> Values:
        seed, truncation = row
        key = tf.stack([seed, tf.constant(0, tf.int64)])
        return sampled(rule, prior, key, [z_dim], truncation, by)

    if truncations is None:
        z = tf.map_fn(lambda seed: draw((seed, None)), seeds, fn_output_signature=tf.float32)
        return tf.ensure_shape(z, [None, z_dim])
    z = tf.map_fn(draw, (seeds, truncations), fn_output_signature=tf.float32)
    return tf.ensure_shape(z, [None, z_dim])


class LabelSampler:
    """Samples class labels.

    Args:
        num_classes: The number of classes; with 0, for a model without classes, all labels are 0.
        frequencies: How often each class comes, in any unit, such as the numbers of its images; None makes all classes
            equally likely.

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

    def __call__(self, key: Key, count: int) -> Labels:
        """Returns `count` labels, int32."""
        if not self.num_classes:
            return tf.zeros([count], tf.int32)
        if self._ends is None:
            return _uniform([count], key, 0, self.num_classes, dtype=tf.int32)
        # The class in whose part of the cumulated frequencies a uniform number falls.
        positions = _uniform([count], key, dtype=tf.float64)
        return tf.reduce_sum(tf.cast(positions[:, None] >= self._ends, tf.int32), axis=1)


def images_of_rows(
    generator: Generator, labels: Labels, seeds: Int[Tensor, " N"], truncation: Scalar | None = None
) -> Images:
    """The images of seeds: those that `biggan_tf.sample` draws and a server answers for the same rows.

    Args:
        generator: With the weights to draw with.
        labels: The class of each row, which a generator without classes does not look at.
        seeds: Decides the latents and the noise of each row.
        truncation: Threshold of the latents, or psi of the styles where the family truncates these; None: neither.
    """
    config = generator.config
    truncations = None if truncation is None else tf.fill(tf.shape(seeds), truncation)
    z = row_latents(seeds, truncations, config.z_dim, config.prior, config.truncation_rule)
    images: Images = generator(generator.inputs_of(z, labels), truncation=truncations, keys=noise_keys(seeds))
    return images
