"""From one network's gradients on each replica to one update that is the same on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from biggan_tf.config import OptimizerConfig
from biggan_tf.ops.replicas import mean_over_replicas, num_replicas
from biggan_tf.training import schedules
from biggan_tf.training.adam import Adam
from biggan_tf.training.loss_scale import DynamicLossScale, NoLossScale
from biggan_tf.training.regularisers import NoRegulariser, OrthogonalRegulariser
from biggan_tf.training.variables import by_name


class GradientStep:
    """Averages over replicas, judges, regularises, applies: in this order and in this one place.

    Keras sums gradients inside `apply` and judges them before; an overflow on a replica other than the first would
    then reach everyone's weights.

    Args:
        network: Whose trainable variables are updated.
        optimizer: Built for them here.
        config: Gives the learning rate's schedule.
        loss_scale: Of this network.
        regulariser: Adds to the averaged gradients.
    """

    def __init__(
        self,
        network: Any,
        optimizer: Adam,
        config: OptimizerConfig,
        loss_scale: NoLossScale | DynamicLossScale,
        regulariser: NoRegulariser | OrthogonalRegulariser | None = None,
    ):
        self.variables = list(network.trainable_variables)
        names = {id(variable): name for name, variable in by_name(network).items()}
        self.names = [names[id(variable)] for variable in self.variables]
        self.optimizer = optimizer
        self.optimizer.build(self.variables)
        self.loss_scale = loss_scale
        self._config = config
        self._regulariser = regulariser or NoRegulariser()

    def gradients(self, tape: tf.GradientTape, scaled_loss: Any) -> list[Any]:
        """This replica's gradients, dense, still scaled; zeros for a variable that the loss does not reach."""
        gradients = tape.gradient(
            scaled_loss, [variable.value for variable in self.variables], unconnected_gradients="zero"
        )
        return [tf.convert_to_tensor(gradient) for gradient in gradients]

    def apply(self, gradients: Sequence[Any], images_seen: Any) -> dict[str, Any]:
        """Updates the network unless a gradient is not finite on any replica.

        Args:
            gradients: From `gradients`, averaged over micro-batches.
            images_seen: Scalar integer; where the schedule is.

        Returns:
            Scalars: `gradient_norm`, `learning_rate`, `skipped` (1 or 0), `bad_gradient` (the first variable with a
            gradient that is not finite, -1 if none) and what the loss scale reports.
        """
        gradients = average(gradients)
        finite_each = tf.stack([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
        finite = tf.reduce_all(finite_each)
        share = self.loss_scale.underflow_share(gradients)
        gradients = self.loss_scale.unscale(gradients)
        norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in gradients]))
        rate = schedules.learning_rate(self._config, images_seen, norm.dtype)
        self.optimizer.apply_averaged(self.regularised(gradients, self.variables), self.variables, rate, finite)
        self.loss_scale.update(finite, share)
        first_bad = tf.argmax(tf.cast(tf.logical_not(finite_each), tf.int32))
        report = {
            "gradient_norm": norm,
            "learning_rate": rate,
            "skipped": tf.cast(tf.logical_not(finite), tf.float32),
            "bad_gradient": tf.cast(tf.where(finite, tf.constant(-1, tf.int64), first_bad), tf.float32),
        }
        scale_report = self.loss_scale.report()
        if scale_report:
            report.update(scale_report, underflow_share=share)
        return report

    def regularised(self, gradients: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        """The gradients with the regulariser's at `values`, which may be the variables themselves."""
        result = []
        for gradient, name, value in zip(gradients, self.names, values, strict=True):
            extra = self._regulariser.gradient(name, value)
            result.append(gradient if extra is None else gradient + extra)
        return result

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: the optimizer's and the loss scale's variables by stable names."""
        state = {"iterations": self.optimizer.iterations}
        for kind, moments in (("m", self.optimizer.first_moments), ("v", self.optimizer.second_moments)):
            state.update({f"{kind}/{name}": moment for name, moment in zip(self.names, moments, strict=False)})
        state.update({f"loss_scale/{name}": variable for name, variable in self.loss_scale.state().items()})
        return state


def average(tensors: Sequence[Any]) -> list[Any]:
    """Means over all replicas, in one reduction where the strategy can."""
    if num_replicas() == 1:
        return list(tensors)
    return list(mean_over_replicas(list(tensors)))
