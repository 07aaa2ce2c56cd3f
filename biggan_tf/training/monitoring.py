"""Notices a run that is going wrong: values that are not finite, and collapse."""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf.config import MonitoringConfig
from biggan_tf.layers import SpectralNormLayer
from biggan_tf.training import main_metric
from biggan_tf.training.gan import BigGAN
from biggan_tf.training.loss_scale import SMALLEST_SCALE
from biggan_tf.training.variables import by_name

_MEMORY = 20  # observations that growth is measured over
_PATIENCE = 3  # evaluations in a row that must be bad


class NonFiniteError(RuntimeError):
    """A loss, gradient or weight that is NaN or infinite."""


class Observer:
    """Reads what the step does not report: the largest singular values and which weights are not finite."""

    def __init__(self, gan: BigGAN):
        self._layers = {}
        for network in (gan.generator, gan.discriminator):
            names = {id(variable): name for name, variable in by_name(network).items()}
            for layer in network._flatten_layers():
                if isinstance(layer, SpectralNormLayer) and layer.built and layer.u is not None:
                    self._layers[f"{network.name}/{names[id(layer.kernel)].removesuffix('/kernel')}"] = layer
        state = gan.state()
        self._names = [
            f"{part}/{name}" for part, variables in state.items() if part != "progress" for name in variables
        ]
        variables = [v for part, parts in state.items() if part != "progress" for v in parts.values()]
        self._sigma = tf.function(
            lambda: tf.stack([layer.singular_value() for layer in self._layers.values()]), autograph=False
        )
        self._finite = tf.function(
            lambda: tf.stack([tf.reduce_all(tf.math.is_finite(tf.cast(v, tf.float32))) for v in variables]),
            autograph=False,
        )

    def singular_values(self) -> dict[str, float]:
        """Sigma of every spectrally normalised kernel."""
        return dict(zip(self._layers, map(float, self._sigma().numpy()), strict=True))

    def non_finite(self) -> list[str]:
        """Names of the variables that hold a NaN or an infinity."""
        return [name for name, finite in zip(self._names, self._finite().numpy(), strict=True) if not finite]


def check_finite(report: Mapping[str, float], gan: BigGAN, observer: Observer) -> None:
    """Raises NonFiniteError, naming the tensor, unless the step was sound.

    A skipped step is sound under a dynamic loss scale, until the scale can fall no lower.

    Args:
        report: Scalars of the step.
        gan: What was trained.
        observer: Of it.
    """
    losses = [name for name in ("d_loss", "g_loss") if not math.isfinite(report[name])]
    skipped = [
        prefix
        for prefix in ("d", "g")
        if report[f"{prefix}_skipped"] and report.get(f"{prefix}_loss_scale", 0.0) <= SMALLEST_SCALE
    ]
    if not losses and not skipped:
        return
    raise NonFiniteError(_explanation(report, losses, gan, observer))


def _explanation(report: Mapping[str, float], losses: list[str], gan: BigGAN, observer: Observer) -> str:
    parts = [f"{name} is {report[name]}" for name in losses]
    weights = observer.non_finite()
    if weights:
        parts.append("these weights are not finite: " + ", ".join(weights[:8]) + (" ..." if len(weights) > 8 else ""))
    for prefix, step in (("d", gan.d_step), ("g", gan.g_step)):
        index = int(report[f"{prefix}_bad_gradient"])
        if index >= 0:
            network = "discriminator" if prefix == "d" else "generator"
            parts.append(f"the gradient of {network}/{step.names[index]} is not finite")
    return (
        f"Every loss, gradient and weight must be finite. Received at step {int(gan.steps_done.numpy())}: "
        + "; ".join(parts)
        + ". The newest checkpoint was saved before; lower the learning rates, or use another model.policy."
    )


class CollapseDetector:
    """Watches what foretells or follows collapse (arXiv:1809.11096, section 4).

    * The first singular value of a kernel grows `max_singular_value_growth`-fold over the last 20 observations.
    * The margin D(real) - D(fake) exceeds `max_margin`: D has won, or memorised. Not judged while a run starts, whose
      first margins are large: before it was below once, or before the 20th observation.
    * The deviation of samples inside a batch falls under `min_sample_deviation`: G draws one image.
    * The metric is `max_metric_growth` times worse than its best for 3 evaluations in a row.

    Args:
        config: The thresholds.
    """

    def __init__(self, config: MonitoringConfig):
        self._config = config
        self.reset()

    def reset(self) -> None:
        """Forgets the past, after a rollback."""
        self._sigmas: collections.deque[Mapping[str, float]] = collections.deque(maxlen=_MEMORY)
        self._observations = 0
        self._was_close = False
        self._best: float | None = None
        self._bad_evaluations = 0

    def observe(self, report: Mapping[str, float], singular_values: Mapping[str, float]) -> str | None:
        """What tripped, in words; None when all is well.

        Args:
            report: Means of the steps' scalars since the last observation.
            singular_values: By layer.
        """
        grown = self._grown(singular_values)
        self._sigmas.append(singular_values)
        if grown is not None:
            return grown
        margin = report["d_real"] - report["d_fake"]
        self._observations += 1
        self._was_close = self._was_close or margin <= self._config.max_margin or self._observations >= _MEMORY
        if self._was_close and margin > self._config.max_margin:
            return (
                f"the margin D(real) - D(fake) is {margin:.3g}, above monitoring.max_margin={self._config.max_margin:g}"
            )
        deviation = report["sample_deviation"]
        if deviation < self._config.min_sample_deviation:
            return (
                f"the deviation of samples inside a batch is {deviation:.3g}, below "
                f"monitoring.min_sample_deviation={self._config.min_sample_deviation:g}"
            )
        return None

    def _grown(self, singular_values: Mapping[str, float]) -> str | None:
        if not self._sigmas:
            return None
        least = {name: min(past[name] for past in self._sigmas) for name in singular_values}
        growth = {name: value / max(least[name], 1e-12) for name, value in singular_values.items()}
        worst = max(growth, key=lambda name: growth[name])
        limit = self._config.max_singular_value_growth
        if growth[worst] <= limit:
            return None
        return (
            f"sigma of {worst} grew {growth[worst]:.3g}-fold to {singular_values[worst]:.3g}, more than "
            f"monitoring.max_singular_value_growth={limit:g}"
        )

    def observe_metrics(self, values: Mapping[str, float]) -> str | None:
        """What tripped, in words, after an evaluation."""
        name, _ = main_metric.main_metric(values)
        cost = main_metric.cost(values)
        self._best = cost if self._best is None else min(self._best, cost)
        self._bad_evaluations = self._bad_evaluations + 1 if cost > self._config.max_metric_growth * self._best else 0
        if self._bad_evaluations < _PATIENCE:
            return None
        worse = f"{cost / self._best:.3g} times worse than its best, {_PATIENCE} times in a row"
        return f"{name} is {values[name]:.4g}, {worse}"


class Means:
    """Means of scalars over the steps since they were last taken; the latest value of those that are states."""

    _LATEST = ("learning_rate", "loss_scale", "overflows", "ema_decay")

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = collections.defaultdict(list)

    def add(self, report: Mapping[str, float]) -> None:
        for name, value in report.items():
            self._values[name].append(value)

    def take(self) -> dict[str, Any]:
        """The means; begins anew."""
        taken = {
            name: values[-1] if name.endswith(self._LATEST) else float(np.mean(values))
            for name, values in self._values.items()
        }
        self._values.clear()
        return taken
