"""The update of one network: its gradients on each replica, and a change of its weights that is the same on all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from biggan_tf.config import Config, OptimizerConfig
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.training import schedules
from biggan_tf.training.adam import Adam
from biggan_tf.training.loss_scale_optimizer import LossScaleOptimizer
from biggan_tf.types import Count, Scalar, Scalars, Tensor


class NetworkUpdate:
    """Differentiates a loss by a network's variables and updates them.

    Args:
        network: A generator or a discriminator of any family.
        optimizer: The optimizer of the network's trainable variables, for which it is built here.
        schedule: The learning rate as a function of the images seen. It is scaled by the optimizer's own rate, which
            begins with the schedule's. None: the optimizer's own rate.

    Attributes:
        variables: The trainable variables of the network.
        names: The paths of these variables below the network.
        optimizer: The optimizer.
        reached: By the name of a phase, on which variables its loss depends.
        rate_factor: A factor of the learning rate that the schedule gives, 1 by default. A function that was compiled
            before it changed keeps the old one.
    """

    def __init__(
        self, network: Generator | Discriminator, optimizer: LossScaleOptimizer, schedule: OptimizerConfig | None
    ):
        self.variables = list(network.trainable_variables)
        paths = {id(variable): path for path, variable in variables_by_path(network).items()}
        self.names = [paths[id(variable)] for variable in self.variables]
        self.reached: dict[str, tuple[bool, ...]] = {}
        self.optimizer = optimizer
        self.optimizer.build(self.variables)
        self.schedule = schedule
        self.rate_factor = 1.0
        left_alone = {id(kernel) for kernel in network.kernels_left_alone()}
        self._kernels = {id(v) for v in self.variables if len(v.shape) >= 2 and id(v) not in left_alone}

    def watch(self, tape: tf.GradientTape) -> None:
        """Makes a gradient tape record the operations that depend on the network's variables, and no others."""
        tape.watch([variable.value for variable in self.variables])

    def gradients(self, tape: tf.GradientTape, scaled_loss: Scalar, phase_name: str = "") -> list[Tensor]:
        """The gradients of a loss with respect to the network's variables, on this replica.

        Args:
            tape: The tape that watched the variables while the loss was computed.
            scaled_loss: The loss times the loss scale.
            phase_name: The name of the phase whose loss it is.

        Returns:
            Dense gradients times the loss scale, in the order of `variables`; zeros for a variable on which the loss
            does not depend.
        """
        values = [variable.value for variable in self.variables]
        gradients = tape.gradient(scaled_loss, values)
        # Known while tracing, and the same for every micro-batch of a phase; `apply` is traced later.
        self.reached[phase_name] = tuple(gradient is not None for gradient in gradients)
        return [
            tf.zeros_like(value) if gradient is None else tf.convert_to_tensor(gradient)
            for gradient, value in zip(gradients, values, strict=True)
        ]

    def apply(
        self,
        gradients: Sequence[Tensor],
        images_seen: Count,
        kernel_gradient: Callable[[keras.Variable], Tensor] | None = None,
        phase_name: str = "",
        weight_limit: float = 0.0,
        images_of_update: int = 0,
    ) -> Scalars:
        """Updates the network unless a gradient is not finite on any replica.

        Args:
            gradients: This replica's gradients from `gradients`, averaged over micro-batches.
            images_seen: How many real images the discriminator has seen, which decides the learning rate.
            kernel_gradient: What a regularisation adds to the gradient of each kernel, see `contracts.game.Phase`;
                None: nothing.
            phase_name: The name of the phase whose gradients they are.
            weight_limit: The largest size of a weight after the update; 0: no limit.
            images_of_update: How many images the update is about, over all replicas, which a warm-up counts; 0 by
                default.

        Returns:
            What the optimizer reports, see `LossScaleOptimizer.average_and_apply`, and `learning_rate`.
        """
        rate = beta_2 = None
        if self.schedule is not None:
            rate = schedules.learning_rate(self.schedule, images_seen, gradients[0].dtype, images_of_update)
            beta_2 = schedules.beta_2(self.schedule, images_seen, gradients[0].dtype)
            rate = rate if self.rate_factor == 1.0 else rate * self.rate_factor
            # Whoever sets `optimizer.learning_rate`, as Keras's callbacks do, scales the schedule. Until then the
            # factor is 1 to the bit, under any dtype.
            base = tf.constant(self.schedule.learning_rate)
            factor = tf.math.divide_no_nan(tf.convert_to_tensor(self.optimizer.learning_rate), base)
            rate *= tf.cast(factor, rate.dtype)

        def regularise(gradients: list[Tensor]) -> list[Tensor]:
            return [
                gradient + kernel_gradient(variable) if kernel_gradient and id(variable) in self._kernels else gradient
                for gradient, variable in zip(gradients, self.variables, strict=True)
            ]

        reached = self.reached.get(phase_name)
        report = dict(self.optimizer.average_and_apply(gradients, rate, regularise, reached, beta_2))
        if weight_limit:
            for variable in self.variables:
                variable.assign(tf.clip_by_value(variable.value, -weight_limit, weight_limit))
        report["learning_rate"] = tf.convert_to_tensor(self.optimizer.learning_rate) if rate is None else rate
        return report

    def reset(self) -> None:
        """Sets the moments and the counts of an `Adam` to 0, as if it had made no update; the loss scale stays."""
        for name, variable in self.state().items():
            if not name.startswith("loss_scale/"):
                variable.assign(tf.zeros(variable.shape, variable.dtype))

    def state(self) -> dict[str, keras.Variable]:
        """The variables of the optimizer, by names that are the same in every process."""
        optimizer, inner = self.optimizer, self.optimizer.inner_optimizer
        state = {"iterations": optimizer.iterations}
        if isinstance(inner, Adam):
            for letter, moments in (("m", inner.first_moments), ("v", inner.second_moments)):
                state.update({f"{letter}/{name}": moment for name, moment in zip(self.names, moments, strict=False)})
            state.update({f"t/{name}": count for name, count in zip(self.names, inner.counts, strict=False)})
        else:
            state.update({f"{number:04d}": variable for number, variable in enumerate(inner.variables)})
        if optimizer.dynamic:
            for name in ("scale", "good_steps", "overflows"):
                state[f"loss_scale/{name}"] = getattr(optimizer, name)
        return state


def optimizer_numbers(config: Config, network: str) -> OptimizerConfig:
    """The numbers of a network's Adam, corrected for a game that regularises the network in phases of its own.

    With k main updates for each lazy one, c = k / (k + 1): rate <- c rate, beta <- beta^c (arXiv:1912.04958,
    appendix B).

    Args:
        config: The configuration of the run.
        network: "generator" or "discriminator".
    """
    numbers: OptimizerConfig = getattr(config.training, network)
    interval = config.game.lazy_interval(network)
    if not interval:
        return numbers
    share = float(interval / (interval + 1))
    return dataclasses.replace(
        numbers,
        learning_rate=share * numbers.learning_rate,
        final_learning_rate=None if numbers.final_learning_rate is None else share * numbers.final_learning_rate,
        beta_1=numbers.beta_1**share,
        beta_2=numbers.beta_2**share,
        final_beta_2=None if numbers.final_beta_2 is None else numbers.final_beta_2**share,
    )


def optimizer_of(config: Config, network: str, inner: keras.optimizers.Optimizer | None = None) -> LossScaleOptimizer:
    """Creates the optimizer that a configuration describes.

    Args:
        config: Gives the numbers of Adam and of the loss scale. The loss is scaled in mixed_float16 alone, because the
            other dtypes hold numbers as small as gradients become.
        network: "generator" or "discriminator".
        inner: An optimizer to scale the loss for; None: the Adam of the configuration.
    """
    if inner is None:
        numbers = optimizer_numbers(config, network)
        inner = Adam(
            numbers.learning_rate,
            numbers.beta_1,
            numbers.beta_2,
            numbers.epsilon,
            counts_each=config.game.lazy_interval(network) > 0,
            name=f"{network}_adam",
        )
    return LossScaleOptimizer(
        inner,
        config.loss_scale.initial,
        config.loss_scale.growth_steps,
        config.loss_scale.max_underflow_share,
        dynamic=config.model.policy == "mixed_float16",
        name=f"{network}_loss_scale",
    )
