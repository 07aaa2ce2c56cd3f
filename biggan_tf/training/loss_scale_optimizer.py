"""The dynamic loss scale of mixed_float16, as an optimizer that wraps another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from jaxtyping import Float

from biggan_tf.ops.replicas import means_over_replicas, num_replicas
from biggan_tf.types import Flag, Scalar, Scalars, Tensor

SMALLEST_NORMAL = 2.0**-14  # of float16: smaller values lose digits, and below 2**-24 they are zero
LARGEST_SCALE = 2.0**24  # the scale stays between these two
SMALLEST_SCALE = 2.0**-14


@keras.saving.register_keras_serializable("biggan_tf")
class LossScaleOptimizer(keras.optimizers.Optimizer):
    """Averages gradients over replicas, checks that they are finite, and hands them to another optimizer.

    The loss is multiplied by a scale before it is differentiated, so that small gradients do not vanish in float16. The
    scale halves after a step whose gradients are not finite, which is skipped, and doubles after `dynamic_growth_steps`
    good steps in a row (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2).

    `keras.optimizers.LossScaleOptimizer` does the same with two faults. It checks the gradients *before* they are
    reduced, on the first replica alone: with an overflow on another replica it takes the step, and the reduction
    carries the infinity into every replica's weights (loss_scale_optimizer_test.py shows it). And it has no lower end:
    a scale that has once become too small is only raised again after thousands of steps. Here all replicas average
    first and so decide alike, and the scale also doubles when more than `max_underflow_share` of the gradients' values
    are lost to zero or to subnormals, at most every max(20, `dynamic_growth_steps` / 20) good steps, so that a scale
    which then overflows costs one step in 20 at the most.

    Args:
        inner_optimizer: Any Keras optimizer. One with a method `apply_averaged`, like `training.adam.Adam`, can skip a
            step itself. For any other the variables of the model and of the optimizer are copied in every step, to be
            put back if the step is skipped.
        initial_scale: The scale of the first step, 2^15 by default.
        dynamic_growth_steps: After how many good steps in a row the scale doubles.
        max_underflow_share: The scale may double earlier if more than this share of the gradients' values is lost.
        dynamic: Whether the loss is scaled. It need not be with dtypes that hold numbers as small as float32 does. The
            gradients are averaged and checked in any case.
        name: The name of the optimizer.

    Example:
        >>> optimizer = LossScaleOptimizer(keras.optimizers.Adam(2e-4))
        >>> with tf.GradientTape() as tape:
        ...     loss = optimizer.scale_loss(loss_of(model))
        >>> optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        max_underflow_share: float = 0.05,
        dynamic: bool = True,
        name: str = "loss_scale_optimizer",
    ):
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        self.max_underflow_share = max_underflow_share
        self.dynamic = dynamic

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the variables of this optimizer and of the inner one.

        Args:
            variables: All variables that will be updated.
        """
        if self.built:
            return
        super().build(variables)
        self.inner_optimizer.build(variables)
        self._limits = {
            name: getattr(self.inner_optimizer, name) for name in ("clipnorm", "global_clipnorm", "clipvalue")
        }
        if not self.dynamic:
            return
        # All replicas compute the same next value: the first one's is everyone's.
        shared: dict[str, Any] = {"shape": (), "aggregation": "only_first_replica"}
        first = keras.initializers.Constant(self.initial_scale)
        self.scale = self.add_variable(dtype="float32", initializer=first, name="scale", **shared)
        self.good_steps = self.add_variable(dtype="int64", initializer="zeros", name="good_steps", **shared)
        self.overflows = self.add_variable(dtype="int64", initializer="zeros", name="overflows", **shared)

    @property
    def variables(self) -> list[keras.Variable]:
        """The scale and its counters, and then the variables of the inner optimizer."""
        own = [self.scale, self.good_steps, self.overflows] if self.built and self.dynamic else []
        return [*own, *self.inner_optimizer.variables]

    @property
    def learning_rate(self) -> Tensor:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Tensor | float) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> keras.Variable:
        """How many steps the inner optimizer has taken; skipped ones do not count."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Float[Tensor, " *S"]) -> Float[Tensor, " *S"]:
        """The loss times the scale, of which the gradients must be taken.

        Args:
            loss: This replica's loss, a scalar as a rule.
        """
        return loss * tf.cast(self.scale, loss.dtype) if self.dynamic else loss

    def apply(self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """Updates the variables, with the arguments that all Keras optimizers have.

        Args:
            grads: This replica's gradients of the scaled loss.
            trainable_variables: The variables; may be None once the optimizer is built.
        """
        if not self.built:
            self.build(list(trainable_variables or ()))
        self.average_and_apply(grads)

    def average_and_apply(
        self,
        gradients: Sequence[Tensor],
        learning_rate: Scalar | None = None,
        regularise: Callable[[list[Tensor]], list[Tensor]] | None = None,
        reached: Sequence[bool] | None = None,
        beta_2: Scalar | None = None,
    ) -> Scalars:
        """Updates the variables unless a gradient is not finite on any replica.

        Args:
            gradients: This replica's gradients of the scaled loss, in the order of the variables.
            learning_rate: The learning rate, for an inner optimizer with `apply_averaged`; None: the inner optimizer's
                own.
            regularise: A function from the gradients, averaged and divided by the scale, to those that are applied;
                None: they are applied as they are.
            reached: Which variables the loss depends on, for an inner optimizer that leaves the others alone; None:
                all.
            beta_2: The decay of the second moment, for an inner optimizer with `apply_averaged`; None: the inner
                optimizer's own.

        Returns:
            By name `gradient_norm`; `skipped`, 1 or 0; `bad_gradient`, the index of the first variable with a gradient
            that is not finite, or -1. With a dynamic scale also `loss_scale`, that of the next step; `overflows`, the
            number of steps that were skipped so far; and `underflow_share`.
        """
        gradients = means_over_replicas(gradients)
        finite_each = tf.stack([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
        finite = tf.reduce_all(finite_each)
        share = underflow_share(gradients) if self.dynamic else None
        if self.dynamic:
            gradients = [gradient / tf.cast(self.scale, gradient.dtype) for gradient in gradients]
        norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in gradients]))
        regularised = regularise(gradients) if regularise else gradients
        self._apply_averaged(regularised, learning_rate, finite, reached, beta_2)
        first_bad = tf.argmax(tf.cast(tf.logical_not(finite_each), tf.int32))
        report = {
            "gradient_norm": norm,
            "skipped": tf.cast(tf.logical_not(finite), tf.float32),
            "bad_gradient": tf.cast(tf.where(finite, tf.constant(-1, tf.int64), first_bad), tf.float32),
        }
        if share is not None:
            self._adapt(finite, share)
            report["loss_scale"] = tf.identity(self.scale)
            report["overflows"] = tf.cast(self.overflows, tf.float32)
            report["underflow_share"] = share
        return report

    def _apply_averaged(
        self,
        gradients: Sequence[Tensor],
        learning_rate: Scalar | None,
        finite: Flag,
        reached: Sequence[bool] | None,
        beta_2: Scalar | None,
    ) -> None:
        variables, inner = self._trainable_variables, self.inner_optimizer
        if hasattr(inner, "apply_averaged"):
            rate = inner.learning_rate if learning_rate is None else learning_rate
            inner.apply_averaged(gradients, variables, rate, finite, reached, beta_2)
            return
        # A select, because a branch must not hold assignments under a strategy that replicates variables.
        touched = [*variables, *inner.variables]
        before = [tf.identity(variable) for variable in touched]
        # Keras's optimizers clip what each replica has, then sum over the replicas. Here both are done already. The
        # limits were noted when this was built: the replicas' threads take turns inside of `inner.apply`.
        share = 1.0 / num_replicas()
        clipped = [gradient * tf.cast(share, gradient.dtype) for gradient in _clipped(gradients, **self._limits)]
        vars(inner).update(dict.fromkeys(self._limits))
        inner.apply(clipped, variables)
        vars(inner).update(self._limits)
        for variable, value in zip(touched, before, strict=True):
            self.assign(variable, tf.where(finite, variable, value))

    def _adapt(self, finite: Flag, share: Scalar) -> None:
        """Changes the scale after a step (arXiv:1710.03740, section 3.2); all replicas compute the same."""
        good_steps, current = tf.convert_to_tensor(self.good_steps), tf.convert_to_tensor(self.scale)
        good = tf.where(finite, good_steps + 1, 0)
        patience = max(20, self.dynamic_growth_steps // 20)
        underflows = tf.logical_and(share > self.max_underflow_share, good >= patience)
        grow = tf.logical_and(finite, tf.logical_or(good >= self.dynamic_growth_steps, underflows))
        # scale / 2 after an overflow, 2 scale after enough good steps
        scale = tf.where(finite, current, current * 0.5)
        scale = tf.where(grow, scale * 2.0, scale)
        self.assign(self.scale, tf.clip_by_value(scale, SMALLEST_SCALE, LARGEST_SCALE))
        self.assign(self.good_steps, tf.where(grow, tf.zeros_like(good), good))
        self.assign_add(self.overflows, tf.where(finite, tf.constant(0, tf.int64), tf.constant(1, tf.int64)))

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
            "max_underflow_share": self.max_underflow_share,
            "dynamic": self.dynamic,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> LossScaleOptimizer:
        inner = keras.saving.deserialize_keras_object(config["inner_optimizer"], custom_objects=custom_objects)
        return cls(**{**config, "inner_optimizer": inner})


def _clipped(
    gradients: Sequence[Tensor], clipnorm: float | None, global_clipnorm: float | None, clipvalue: float | None
) -> list[Tensor]:
    """The gradients, clipped as Keras's arguments of these names say."""
    if clipnorm is not None:
        return [tf.clip_by_norm(gradient, clipnorm) for gradient in gradients]
    if global_clipnorm is not None:
        return list(tf.clip_by_global_norm(list(gradients), global_clipnorm)[0])
    if clipvalue is not None:
        return [tf.clip_by_value(gradient, -clipvalue, clipvalue) for gradient in gradients]
    return list(gradients)


def underflow_share(gradients: Sequence[Tensor]) -> Scalar:
    """The share of values that float16 holds as zero or as a subnormal.

    Only the gradients of kernels (two axes or more) count, because a bias before a batch norm has gradient 0 whatever
    the scale is.

    Args:
        gradients: Gradients of the scaled loss. Without a kernel among them the share is 0.
    """
    kernels = [gradient for gradient in gradients if gradient.shape.rank >= 2]
    if not kernels:
        return tf.zeros([])
    lost = [tf.reduce_sum(tf.cast(tf.abs(kernel) < SMALLEST_NORMAL, tf.float32)) for kernel in kernels]
    return tf.add_n(lost) / float(sum(kernel.shape.num_elements() for kernel in kernels))
