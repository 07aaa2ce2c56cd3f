"""The dynamic loss scale of mixed_float16, right for several replicas and watching both ends of the range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from biggan_tf.config import LossScaleConfig

SMALLEST_NORMAL = 2.0**-14  # of float16: below it values lose digits, then vanish
LARGEST_SCALE = 2.0**24
SMALLEST_SCALE = 2.0**-14


class NoLossScale(tf.Module):
    """For float32, float64 and bfloat16, whose exponents reach as far as the gradients do."""

    def scale_loss(self, loss: Any) -> Any:
        return loss

    def unscale(self, gradients: Sequence[Any]) -> list[Any]:
        return list(gradients)

    def underflow_share(self, gradients: Sequence[Any]) -> Any:
        """Not measured."""
        del gradients
        return tf.constant(0.0)

    def update(self, finite: Any, underflow_share: Any) -> None:
        """Nothing to adapt."""

    def report(self) -> dict[str, Any]:
        return {}

    def state(self) -> dict[str, tf.Variable]:
        return {}


class DynamicLossScale(tf.Module):
    """Halves after an overflow, doubles after `growth_steps` good steps: Keras's LossScaleOptimizer in behaviour.

    Two differences. It is told whether the gradients are finite *after* they were averaged over replicas, so all
    replicas skip and halve together. And it also doubles when more than `max_underflow_share` of the gradient values
    are lost to zero or to subnormals, at most every `growth_steps` / 20 good steps, so that a scale which then
    overflows costs one step in 20 at the very most.

    Args:
        config: See `LossScaleConfig`.
    """

    def __init__(self, config: LossScaleConfig, name: str = "loss_scale"):
        super().__init__(name=name)
        self._growth_steps = config.growth_steps
        self._underflow_patience = max(20, config.growth_steps // 20)
        self._max_underflow_share = config.max_underflow_share
        once: dict[str, Any] = {"trainable": False, "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA}
        self.scale = tf.Variable(float(config.initial), name="scale", **once)
        self.good_steps = tf.Variable(0, name="good_steps", dtype=tf.int64, **once)
        self.overflows = tf.Variable(0, name="overflows", dtype=tf.int64, **once)

    def scale_loss(self, loss: Any) -> Any:
        return loss * self.scale

    def unscale(self, gradients: Sequence[Any]) -> list[Any]:
        return [gradient / self.scale for gradient in gradients]

    def underflow_share(self, gradients: Sequence[Any]) -> Any:
        """The share of values in the still scaled gradients that float16 holds as zero or as a subnormal.

        Only kernels count (rank 2 or more): a bias before a batch norm has gradient 0 whatever the scale.
        """
        kernels = [gradient for gradient in gradients if gradient.shape.rank >= 2]
        lost = [tf.reduce_sum(tf.cast(tf.abs(kernel) < SMALLEST_NORMAL, tf.float32)) for kernel in kernels]
        return tf.add_n(lost) / float(sum(kernel.shape.num_elements() for kernel in kernels))

    def update(self, finite: Any, underflow_share: Any) -> None:
        """Adapts the scale after a step.

        Args:
            finite: Scalar bool, the same on all replicas.
            underflow_share: Scalar, the same on all replicas.
        """
        good = tf.where(finite, self.good_steps + 1, 0)
        starved = tf.logical_and(underflow_share > self._max_underflow_share, good >= self._underflow_patience)
        grow = tf.logical_and(finite, tf.logical_or(good >= self._growth_steps, starved))
        scale = tf.where(finite, self.scale, self.scale * 0.5)
        scale = tf.where(grow, scale * 2.0, scale)
        self.scale.assign(tf.clip_by_value(scale, SMALLEST_SCALE, LARGEST_SCALE))
        self.good_steps.assign(tf.where(grow, tf.zeros_like(good), good))
        self.overflows.assign_add(tf.where(finite, tf.constant(0, tf.int64), tf.constant(1, tf.int64)))

    def report(self) -> dict[str, Any]:
        """What is logged; the underflow share is the step's."""
        return {"loss_scale": tf.identity(self.scale), "overflows": tf.cast(self.overflows, tf.float32)}

    def state(self) -> dict[str, tf.Variable]:
        """What a checkpoint holds."""
        return {"scale": self.scale, "good_steps": self.good_steps, "overflows": self.overflows}


def for_policy(policy: str, config: LossScaleConfig, name: str) -> NoLossScale | DynamicLossScale:
    """The loss scale that a dtype policy needs."""
    return DynamicLossScale(config, name) if policy == "mixed_float16" else NoLossScale(name)
