"""Batch statistics measured at the truncation that sampling uses (arXiv:1809.11096, appendix C).

The running averages of training belong to latents that are not truncated, and to weights that have changed since.
Standing statistics are averages over many forward passes of the final weights, one set for each truncation. A
generator without batch norm has no use for them: `batch_norm_moments.has_batch_norm` tells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from jaxtyping import Float

from biggan_tf import latents
from biggan_tf.config.truncation import STANDING_BATCH_SIZE, STANDING_PASSES
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import layers_of
from biggan_tf.inference import batch_norm_moments
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.progress import track
from biggan_tf.types import Count, Scalar

# The published modules' grid. Truncation 0 leaves the classes as the only variety.
GRID = tuple(step / 50 for step in range(51))


@dataclasses.dataclass(frozen=True)
class StandingStatistics:
    """Moments of every batch norm at every truncation.

    Attributes:
        truncations: In rising order; infinity stands for latents that are not truncated.
        moments: The means and variances of the batch norms in the order of `batch_norm_moments.moment_variables`, each
            `[T, C]`: a row for each truncation.
        method: What the truncations mean: "hub", "resampling" or "scaling", see `latents.truncated_normal`.
    """

    truncations: tuple[float, ...]
    moments: tuple[np.ndarray, ...]
    method: str

    def apply(self, generator: Generator, truncation: float | None) -> None:
        """Replaces the moments that a generator's batch norms hold.

        Args:
            generator: Is changed. It must be the one that was measured, or a copy of it.
            truncation: The truncation that the generator will be used at; None: latents that are not truncated. Between
                two truncations that were measured the moments are interpolated.
        """
        target = np.inf if truncation is None else truncation
        if target not in self.truncations and not self.truncations[0] <= target <= self._last_finite():
            raise ValueError(
                f"the truncation must be one of the standing statistics' or between two of them, "
                f"{self.truncations[0]} to {self._last_finite()}. Received: {truncation}"
            )
        lower = max(i for i, t in enumerate(self.truncations) if t <= target)
        upper = min(i for i, t in enumerate(self.truncations) if t >= target)
        share = 0.0
        if upper != lower:
            share = (target - self.truncations[lower]) / (self.truncations[upper] - self.truncations[lower])
        variables = batch_norm_moments.moment_variables(generator)
        for variable, rows in zip(variables, self.moments, strict=True):
            variable.assign((1 - share) * rows[lower] + share * rows[upper])

    def grid_generator(self, generator: Generator) -> Generator:
        """A copy that holds the moments of all truncations from 0 to 1 and interpolates between them, for export.

        The published modules do the same. The truncations must include 0 and 1 and be evenly spaced.
        """
        rows = [i for i, t in enumerate(self.truncations) if np.isfinite(t)]
        steps = np.diff([self.truncations[i] for i in rows])
        if len(rows) < 2 or self.truncations[rows[0]] != 0.0 or self.truncations[rows[-1]] != 1.0:
            raise ValueError(f"a grid must reach from 0 to 1. Received: {self.truncations}")
        if not np.allclose(steps, steps[0]):
            raise ValueError(f"a grid must have even steps. Received: {self.truncations}")
        _require_one_set(generator)
        result = batch_norm_moments.copy_with_grid(generator, len(rows))
        variables = batch_norm_moments.moment_variables(result)
        for variable, values in zip(variables, self.moments, strict=True):
            variable.assign(values[rows])
        return result

    def with_rows_of(self, other: StandingStatistics) -> StandingStatistics:
        """These statistics and those of the truncations that another has and these have not."""
        rows = {t: (self, row) for row, t in enumerate(self.truncations)}
        rows |= {t: (other, row) for row, t in enumerate(other.truncations) if t not in rows}
        truncations = tuple(sorted(rows))
        picked = [[rows[t][0].moments[index][rows[t][1]] for t in truncations] for index in range(len(self.moments))]
        return StandingStatistics(truncations, tuple(np.stack(values) for values in picked), self.method)

    def _last_finite(self) -> float:
        return max((t for t in self.truncations if np.isfinite(t)), default=np.inf)


def measure(
    generator: Generator,
    truncations: Sequence[float] = (*GRID, np.inf),
    *,
    method: str = "resampling",
    prior: str | None = None,
    num_passes: int = STANDING_PASSES,
    batch_size: int = STANDING_BATCH_SIZE,
    seed: int = 0,
    strategy: tf.distribute.Strategy | None = None,
    frequencies: Sequence[float] | None = None,
    progress: bool = False,
) -> StandingStatistics:
    """Measures the moments of every batch norm at each truncation; the generator itself is not changed.

    Args:
        generator: Must have batch norms, each with one set of moments.
        truncations: In rising order, 0 or larger; infinity: latents that are not truncated.
        method: What a truncation means, see `latents.truncated_normal`.
        prior: The distribution of latents, a name in `PARTS["prior"]`; None: the one that the
            generator was trained with. One that is not normal is truncated by scaling alone.
        num_passes: Forward passes that are averaged for each truncation. The paper takes 100.
        batch_size: Images in a pass, over all replicas together.
        seed: Decides latents and labels, which are the same for every truncation.
        strategy: Its replicas share each pass, and hold equal statistics afterwards; None: the one in scope.
        frequencies: How often each class is drawn, in any unit; None: all are equally likely.
        progress: Whether a bar tells how far it is; not by default.
    """
    if list(truncations) != sorted(set(truncations)) or min(truncations) < 0:
        raise ValueError(f"truncations must rise from 0 or more. Received: {tuple(truncations)}")
    if not batch_norm_moments.has_batch_norm(generator):
        raise ValueError(
            "standing statistics are moments of batch norms, so the generator must have one. "
            f"Received: {generator.name}, which has none; use it as it is (--standing=0)"
        )
    _require_one_set(generator)
    strategy = strategy or tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise ValueError(f"batch_size must be a multiple of the {replicas} replicas. Received: {batch_size}")
    config = generator.config
    draw = _Draw(config.z_dim, config.num_classes, batch_size // replicas, method, prior or config.prior, frequencies)
    probe = _Probe(generator, draw, seed, strategy)
    sums = [
        np.zeros((len(truncations), *variable.shape)) for variable in batch_norm_moments.moment_variables(generator)
    ]
    # The bar counts passes, since one truncation alone can take minutes.
    passes = [(row, number) for row in range(len(truncations)) for number in range(num_passes)]
    for row, number in track(passes, len(passes), "standing statistics", "pass", progress):
        for total, values in zip(sums, probe.moments_of_pass(float(truncations[row]), number), strict=True):
            total[row] += values
    moments = tuple((total / num_passes).astype(np.float32) for total in sums)
    return StandingStatistics(tuple(float(t) for t in truncations), moments, method)


def measure_and_apply(
    generator: Generator,
    truncation: float | None,
    *,
    method: str = "resampling",
    prior: str | None = None,
    num_passes: int = STANDING_PASSES,
    batch_size: int = STANDING_BATCH_SIZE,
    frequencies: Sequence[float] | None = None,
    progress: bool = False,
) -> None:
    """Replaces a generator's moments by those measured at the one truncation that it is about to be used at.

    Args:
        generator: Is changed.
        truncation: None: latents that are not truncated.
        method: What a truncation means, see `latents.truncated_normal`.
        prior: The distribution of latents, truncated or not; None: the one that the generator was trained with.
        num_passes: Forward passes that are averaged.
        batch_size: Images in a pass.
        frequencies: How often each class is drawn, in any unit; None: all are equally likely.
        progress: Whether a bar tells how far it is; not by default.
    """
    statistics = measure(
        generator,
        [np.inf if truncation is None else truncation],
        method=method,
        prior=prior,
        num_passes=num_passes,
        batch_size=batch_size,
        frequencies=frequencies,
        progress=progress,
    )
    statistics.apply(generator, truncation)


@dataclasses.dataclass(frozen=True)
class _Draw:
    """Latents and labels for one replica's part of a pass."""

    z_dim: int
    num_classes: int
    count: int
    method: str
    prior: str
    frequencies: Sequence[float] | None = None

    def latents(self, key: tf.Tensor, truncation: Scalar, is_truncated: bool) -> Float[tf.Tensor, "N Z"]:
        shape = [self.count, self.z_dim]
        if is_truncated:
            return latents.truncated(self.prior, key, shape, truncation, self.method)
        return latents.prior(self.prior)(key, shape)

    def labels(self, key: tf.Tensor) -> tf.Tensor:
        return latents.LabelSampler(self.num_classes, self.frequencies)(latents.derive_key(key, 1), self.count)


class _Probe:
    """A copy of a generator whose batch norms hold, after each pass, the moments of that pass alone."""

    def __init__(self, generator: Generator, draw: _Draw, seed: int, strategy: tf.distribute.Strategy):
        with strategy.scope():
            self._generator = batch_norm_moments.copy_of(generator)
        for norm in layers_of(self._generator, BatchNorm).values():
            norm.options = dataclasses.replace(norm.options, momentum=0.0)
        self._draw = draw
        self._seed = seed
        self._strategy = strategy
        self._moments = batch_norm_moments.moment_variables(self._generator)
        # What a pass in training mode changes apart from the moments: the u of each spectral norm.
        moments = {id(variable) for variable in self._moments}
        self._state = [v for v in self._generator.non_trainable_variables if id(v) not in moments]
        self._state_before = [variable.numpy() for variable in self._state]
        self._one_pass = tf.function(self._run_replicas)

    def moments_of_pass(self, truncation: float, number: int) -> list[Float[np.ndarray, " C"]]:
        """Each mean and variance of one pass at one truncation (infinity: none)."""
        is_truncated = bool(np.isfinite(truncation))
        threshold = tf.constant(truncation if is_truncated else 0.0, tf.float32)
        self._one_pass(threshold, tf.constant(number), is_truncated)
        # Sampling leaves u alone, so every pass must start from the u that the generator came with.
        for variable, value in zip(self._state, self._state_before, strict=True):
            variable.assign(value)
        return [variable.numpy() for variable in self._moments]

    def _run_replicas(self, truncation: Scalar, number: Count, is_truncated: bool) -> None:
        self._strategy.run(self._forward, (truncation, number, is_truncated))

    def _forward(self, truncation: Scalar, number: Count, is_truncated: bool) -> None:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        key = latents.derive_key(latents.derive_key(tf.constant([self._seed, 2]), number), replica)
        z = self._draw.latents(key, truncation, is_truncated)
        self._generator(self._generator.inputs_of(z, self._draw.labels(key)), training=True)


def _require_one_set(generator: Generator) -> None:
    counts = {norm.options.num_statistics for norm in layers_of(generator, BatchNorm).values()}
    if counts - {1}:
        raise ValueError(f"the generator must have one set of statistics. Received: {max(counts)}")
