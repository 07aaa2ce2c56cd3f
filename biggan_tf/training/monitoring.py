"""Notices that a training goes wrong: values that are not finite, and the collapse of the networks."""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping

import tensorflow as tf

from biggan_tf.config import WatchConfig
from biggan_tf.training import phases
from biggan_tf.training.checkpoints import deciding_metric
from biggan_tf.training.gan import GAN
from biggan_tf.training.loss_scale_optimizer import SMALLEST_SCALE
from biggan_tf.types import Tensor

_MEMORY = 20  # how many observations growth is measured over
_PATIENCE = 3  # how many evaluations in a row must be bad


class NonFiniteError(RuntimeError):
    """Is raised when a loss, a gradient or a weight is NaN or infinite."""


class Observer:
    """Computes what a step does not report: the health of the networks, and which variables are not finite.

    Args:
        gan: The model that is trained.
    """

    def __init__(self, gan: GAN):
        self._networks = (gan.generator, gan.discriminator)
        self._health_names: list[str] = []
        state = {part: variables for part, variables in gan.state().items() if part != "progress"}
        self._names = [f"{part}/{name}" for part, variables in state.items() for name in variables]
        variables = [variable for part in state.values() for variable in part.values()]
        self._health = tf.function(self._read_health, autograph=False)
        self._finite = tf.function(
            lambda: tf.stack([tf.reduce_all(tf.math.is_finite(tf.cast(v, tf.float32))) for v in variables]),
            autograph=False,
        )

    def health(self) -> dict[str, float]:
        """The numbers by which the networks tell how well they are, from `Generator.health` and its like.

        Returns:
            The numbers by "group/network/name", such as "sigma/generator/linear"; empty if the networks have none.
        """
        values = self._health().numpy()
        return dict(zip(self._health_names, map(float, values), strict=True))

    def non_finite(self) -> list[str]:
        """The names of the variables that hold a NaN or an infinity."""
        return [name for name, finite in zip(self._names, self._finite().numpy(), strict=True) if not finite]

    def _read_health(self) -> Tensor:
        values = {}
        for network in self._networks:
            for name, value in network.health().items():
                group, _, rest = name.partition("/")
                values[f"{group}/{network.name}/{rest}"] = value
        self._health_names = list(values)
        return tf.stack([tf.cast(value, tf.float32) for value in values.values()]) if values else tf.zeros([0])


def largest(health: Mapping[str, float]) -> dict[str, float]:
    """The largest value of each group, by "largest_GROUP".

    Args:
        health: The numbers by "group/network/name", from `Observer.health`; may be empty.
    """
    maxima: dict[str, float] = {}
    for name, value in health.items():
        group = f"largest_{name.partition('/')[0]}"
        maxima[group] = max(value, maxima.get(group, value))
    return maxima


def check_finite(report: Mapping[str, float], gan: GAN, observer: Observer, newest_checkpoint: str = "") -> None:
    """Raises NonFiniteError with the names of the tensors if a step met a value that is not finite.

    With a dynamic loss scale a step that was skipped is no error, because the scale halves after it; it is one when the
    scale cannot become smaller.

    Args:
        report: The scalars of the step by name.
        gan: The model that was trained.
        observer: Finds the variables of `gan` that are not finite.
        newest_checkpoint: A sentence for the message that says which checkpoint is left; "": none is said.
    """
    losses = [name for name, value in report.items() if name.endswith("_loss") and not math.isfinite(value)]
    skipped = [
        name
        for name, value in report.items()
        if name.endswith("_skipped")
        and value
        and report.get(name.removesuffix("skipped") + "loss_scale", 0.0) <= SMALLEST_SCALE
    ]
    if not losses and not skipped:
        return
    raise NonFiniteError(" ".join(filter(None, [_explanation(report, losses, gan, observer), newest_checkpoint])))


def _explanation(report: Mapping[str, float], losses: list[str], gan: GAN, observer: Observer) -> str:
    parts = [f"{name} is {report[name]}" for name in losses]
    weights = observer.non_finite()
    if weights:
        parts.append("these weights are not finite: " + ", ".join(weights[:8]) + (" ..." if len(weights) > 8 else ""))
    for phase in gan.phases:
        index = int(report.get(phases.prefix(phase) + "bad_gradient", -1))
        if index >= 0:
            parts.append(f"the gradient of {phase.trains}/{gan.update_of(phase).names[index]} is not finite")
    return (
        f"Every loss, gradient and weight must be finite. Received at step {int(gan.steps_done.numpy())}: "
        + "; ".join(parts)
        + ". Lower the learning rates, or use another model.policy."
    )


class CollapseDetector:
    """Notices the signs of a collapse (Brock et al. 2018, arXiv:1809.11096, section 4).

    * Section 4.1: a kernel's largest singular value grows before a collapse. Here a value of the networks' health has
      become `max_singular_value_growth` times its least value in the last 20 observations.
    * Section 4.2: the loss of the discriminator falls to almost zero, because it knows the training images by heart.
      Here the margin D(real) - D(fake) is above `max_margin`. The first margins of a run are large, so this counts only
      after the margin was below the limit once, or from the 20th observation on.
    * The generator draws the same image for all latents: the standard deviation over the images of a batch is below
      `min_sample_deviation`.
    * The deciding metric is more than `max_metric_growth` times worse than its best value so far, in 3 evaluations in a
      row. An unbiased distance may be below 0; then it is worse by more than `max_metric_growth` - 1 times its size.

    Args:
        config: These limits.
    """

    def __init__(self, config: WatchConfig):
        self._config = config
        self.reset()

    def reset(self) -> None:
        """Forgets all observations, because a rollback has gone back to before some of them."""
        self._past: collections.deque[Mapping[str, float]] = collections.deque(maxlen=_MEMORY)
        self._observations = 0
        self._was_close = False
        self._best: tuple[float, float] | None = None  # (cost, value) of the deciding metric
        self._bad_evaluations = 0

    def observe(self, report: Mapping[str, float], health: Mapping[str, float]) -> str | None:
        """Looks at the steps since the last observation.

        Args:
            report: The means of the scalars of these steps by name.
            health: The numbers from `Observer.health` after the last of them.

        Returns:
            Which limit was passed, as a clause; None if none was.
        """
        grown = self._grown(health)
        self._past.append(health)
        if grown is not None:
            return grown
        margin = report.get("d_real", 0.0) - report.get("d_fake", 0.0)
        self._observations += 1
        self._was_close = self._was_close or margin <= self._config.max_margin or self._observations >= _MEMORY
        if self._was_close and margin > self._config.max_margin:
            return (
                f"the margin D(real) - D(fake) is {margin:.3g}, above monitoring.max_margin={self._config.max_margin:g}"
            )
        deviation = report.get("sample_deviation", math.inf)
        if deviation < self._config.min_sample_deviation:
            return (
                f"the deviation of samples inside a batch is {deviation:.3g}, below "
                f"monitoring.min_sample_deviation={self._config.min_sample_deviation:g}"
            )
        return None

    def _grown(self, health: Mapping[str, float]) -> str | None:
        if not self._past or not health:
            return None
        least = {name: min(past[name] for past in self._past) for name in health}
        growth = {name: value / max(least[name], 1e-12) for name, value in health.items()}
        worst = max(growth, key=lambda name: growth[name])
        limit = self._config.max_singular_value_growth
        if growth[worst] <= limit:
            return None
        group, _, name = worst.partition("/")
        return (
            f"{group} of {name} grew {growth[worst]:.3g}-fold to {health[worst]:.3g}, more than "
            f"monitoring.max_singular_value_growth={limit:g}"
        )

    def observe_metrics(self, values: Mapping[str, float]) -> str | None:
        """Looks at the metrics of an evaluation, as `observe` does at steps.

        Args:
            values: The metrics by name, the deciding one first.
        """
        name, _ = deciding_metric.name_and_direction(values)
        cost, limit = deciding_metric.cost(values), self._config.max_metric_growth
        self._best = (cost, values[name]) if self._best is None else min(self._best, (cost, values[name]))
        best_cost, best = self._best
        is_bad = cost > best_cost + (limit - 1.0) * abs(best_cost)
        self._bad_evaluations = self._bad_evaluations + 1 if is_bad else 0
        if self._bad_evaluations < _PATIENCE:
            return None
        return (
            f"{name} is {values[name]:.4g} and its best value was {best:.4g}: in {_PATIENCE} evaluations in a row it "
            f"was worse than monitoring.max_metric_growth={limit:g} allows"
        )
