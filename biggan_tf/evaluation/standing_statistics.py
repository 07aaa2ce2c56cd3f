"""Batch statistics measured at the truncation that sampling uses (arXiv:1809.11096, appendix C).

The running averages of training belong to untruncated latents and to weights that have moved on since. Standing
statistics are averages over many forward passes of the final weights, one set for each truncation.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.evaluation import atomic_files
from biggan_tf.networks import Generator

# The published modules' grid. Truncation 0 leaves the classes as the only variety.
GRID = tuple(step / 50 for step in range(51))
_ROLES = ("moving_mean", "moving_variance")


@dataclasses.dataclass(frozen=True)
class StandingStatistics:
    """Moments of every batch norm at every truncation.

    Attributes:
        truncations: In rising order; infinity stands for untruncated.
        moments: Means and variances in the order of the generator's variables, each `[T, C]`.
        method: What the truncations mean, see `latents.truncated_normal`.
    """

    truncations: tuple[float, ...]
    moments: tuple[np.ndarray, ...]
    method: str

    def apply(self, generator: Generator, truncation: float | None) -> None:
        """Puts the moments for a truncation (None: untruncated) in place of the running ones; between two, a mix."""
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
        for variable, rows in zip(_moments_of(generator), self.moments, strict=True):
            variable.assign((1 - share) * rows[lower] + share * rows[upper])

    def grid_generator(self, generator: Generator) -> Generator:
        """A generator that holds the whole grid and interpolates, as the published modules do; for export."""
        rows = [i for i, t in enumerate(self.truncations) if np.isfinite(t)]
        steps = np.diff([self.truncations[i] for i in rows])
        if len(rows) < 2 or self.truncations[rows[0]] != 0.0 or self.truncations[rows[-1]] != 1.0:
            raise ValueError(f"a grid must reach from 0 to 1. Received: {self.truncations}")
        if not np.allclose(steps, steps[0]):
            raise ValueError(f"a grid must have even steps. Received: {self.truncations}")
        result = Generator(generator.model_config, num_statistics=len(rows))
        _copy(generator, result)
        for variable, values in zip(_moments_of(result), self.moments, strict=True):
            variable.assign(values[rows])
        return result

    def _last_finite(self) -> float:
        return max((t for t in self.truncations if np.isfinite(t)), default=np.inf)


def measure(
    generator: Generator,
    truncations: Sequence[float] = (*GRID, np.inf),
    *,
    method: str = "resampling",
    prior: str = "normal",
    num_passes: int = 100,
    batch_size: int = 64,
    seed: int = 0,
    strategy: tf.distribute.Strategy | None = None,
) -> StandingStatistics:
    """Measures the statistics; the generator itself is left as it is.

    Args:
        generator: With one set of statistics.
        truncations: In rising order; infinity: untruncated.
        method: What a truncation means.
        prior: Of untruncated latents.
        num_passes: Forward passes averaged for each truncation.
        batch_size: Images in a pass, over all replicas.
        seed: Of latents and labels; the same ones for every truncation.
        strategy: Shares each pass among its replicas, which then hold equal statistics.
    """
    if list(truncations) != sorted(set(truncations)) or min(truncations) < 0:
        raise ValueError(f"truncations must rise from 0 or more. Received: {tuple(truncations)}")
    strategy = strategy or tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise ValueError(f"batch_size must be a multiple of the {replicas} replicas. Received: {batch_size}")
    with strategy.scope():
        # With momentum 0 a pass leaves its own moments behind.
        probe = Generator(dataclasses.replace(generator.model_config, batch_norm_momentum=0.0))
        _copy(generator, probe)
        probe_moments = _moments_of(probe)
        for variable, source in zip(probe_moments, _moments_of(generator), strict=True):
            variable.assign(source)
    vectors = [v for v in probe.non_trainable_variables if v.path.endswith("/u")]
    saved = [vector.numpy() for vector in vectors]
    labels_of = latents.LabelSampler(generator.model_config.num_classes)
    z_shape = [batch_size // replicas, generator.model_config.z_dim]

    def forward(truncation: Any, number: Any, truncated: bool) -> None:
        context = tf.distribute.get_replica_context()
        key = latents.fold(latents.fold(tf.constant([seed, 2]), number), context.replica_id_in_sync_group)
        z = _latents(key, z_shape, truncation, method) if truncated else latents.PRIORS[prior](key, z_shape)
        labels = labels_of(latents.fold(key, 1), z_shape[0])
        probe((z, probe.embed(labels)) if generator.model_config.num_classes else z, training=True)

    @tf.function
    def one_pass(truncation: Any, number: Any, truncated: bool) -> None:
        strategy.run(forward, (truncation, number, truncated))

    rows: list[list[np.ndarray]] = [[] for _ in probe_moments]
    for truncation in truncations:
        sums = [np.zeros(variable.shape, np.float64) for variable in probe_moments]
        finite = bool(np.isfinite(truncation))
        for number in range(num_passes):
            one_pass(tf.constant(truncation if finite else 0.0, tf.float32), tf.constant(number), finite)
            for total, variable in zip(sums, probe_moments, strict=True):
                total += variable.numpy()
            # A training pass advances u; sampling does not, so each pass starts from the same u.
            for vector, value in zip(vectors, saved, strict=True):
                vector.assign(value)
        for row, total in zip(rows, sums, strict=True):
            row.append((total / num_passes).astype(np.float32))
    return StandingStatistics(tuple(float(t) for t in truncations), tuple(np.stack(r) for r in rows), method)


def save(statistics: StandingStatistics, path: str | os.PathLike) -> None:
    """Writes one .npz, whole or not at all."""
    arrays = {f"moments_{i:03d}": rows for i, rows in enumerate(statistics.moments)}
    atomic_files.write_npz(path, {**arrays, "truncations": statistics.truncations, "method": statistics.method})


def load(path: str | os.PathLike) -> StandingStatistics:
    """Reads what `save` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        if "truncations" not in archive:
            raise ValueError(f"{os.fspath(path)} must hold standing statistics. Received: {sorted(archive)[:5]}")
        moments = tuple(archive[name] for name in sorted(archive) if name.startswith("moments_"))
        return StandingStatistics(tuple(archive["truncations"].tolist()), moments, str(archive["method"]))


def _latents(key: Any, shape: list[int], truncation: Any, method: str) -> Any:
    """`latents.truncated_normal` with a threshold that is a tensor, 0 included, so that one graph serves the grid."""
    if method == "hub":
        return truncation * latents.truncated_normal(key, shape, 1.0, "hub")
    if method == "scaling":
        return truncation * latents.normal(key, shape)
    if method != "resampling":
        raise ValueError(f"method must be one of {', '.join(latents.TRUNCATIONS)}. Received: {method!r}")
    uniform = tf.random.stateless_uniform(shape, key, -1.0, 1.0, tf.float64, alg="philox")
    limit = tf.cast(truncation, tf.float64)
    root = tf.sqrt(tf.constant(2.0, tf.float64))
    return tf.cast(root * tf.math.erfinv(uniform * tf.math.erf(limit / root)), tf.float32)


def _moments_of(generator: Generator) -> list[Any]:
    return [v for v in generator.non_trainable_variables if v.path.rsplit("/", 1)[-1] in _ROLES]


def _copy(source: Generator, target: Generator) -> None:
    """All variables but the moments, whose number of sets may differ."""
    if source.num_statistics != 1:
        raise ValueError(f"the generator must have one set of statistics. Received: {source.num_statistics}")
    for ours, theirs in zip(source.variables, target.variables, strict=True):
        if ours.path.rsplit("/", 1)[-1] not in _ROLES:
            theirs.assign(ours)
