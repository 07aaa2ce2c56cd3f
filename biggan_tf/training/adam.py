"""Adam as it was published, with which the published BigGANs were trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from biggan_tf.types import Flag, Scalar, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class Adam(keras.optimizers.Optimizer):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1).

    `keras.optimizers.Adam` adds epsilon to the square root of the second moment before the correction of its bias. In
    the first step with beta_2 = 0.999 that makes epsilon sqrt(1000) = 31.6 times larger than in the paper. Also, this
    class stores no first moment if beta_1 = 0, where it is the gradient itself.

    Args:
        learning_rate: The learning rate alpha of Keras's `apply`; the caller of `apply_averaged` gives another.
        beta_1: The decay of the first moment, from 0 to 1; BigGAN's 0 by default.
        beta_2: The decay of the second moment, from 0 to 1.
        epsilon: Is added to the square root of the corrected second moment, to keep the division finite.
        counts_each: Whether each variable has a count t of its own, for trainings in which some updates do not reach
            all variables; those then keep their moments and their count.
        name: The name of the optimizer.
        **kwargs: Are passed on to `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float = 5e-5,
        beta_1: float = 0.0,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        counts_each: bool = False,
        name: str = "adam",
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.counts_each = counts_each

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the moments, one or two for each variable.

        Args:
            variables: All variables that will be updated.
        """
        if self.built:
            return
        super().build(variables)
        self.first_moments = []
        if self.beta_1 > 0:
            self.first_moments = [self.add_variable_from_reference(v, name="first_moment") for v in variables]
        self.second_moments = [self.add_variable_from_reference(v, name="second_moment") for v in variables]
        self.counts = []
        if self.counts_each:
            shared: dict[str, Any] = {"dtype": "int64", "initializer": "zeros", "aggregation": "only_first_replica"}
            self.counts = [self.add_variable(shape=(), name="count", **shared) for _ in variables]

    def update_step(self, gradient: Tensor, variable: keras.Variable | tf.Variable, learning_rate: Scalar) -> None:
        """Updates one variable. Keras's own `apply` calls it.

        Args:
            gradient: The gradient with respect to the variable.
            variable: One of those that the optimizer was built for, or TensorFlow's variable in one of them.
            learning_rate: The learning rate, which Keras holds in float32 whatever dtype the variable has.
        """
        self._update(gradient, variable, learning_rate, tf.constant(True), self.beta_2)
        if self.counts:
            self.assign_add(self.counts[self._get_variable_index(variable)], 1)

    def apply_averaged(
        self,
        gradients: Sequence[Tensor],
        variables: Sequence[keras.Variable],
        learning_rate: Scalar | float,
        valid: Flag,
        reached: Sequence[bool] | None = None,
        beta_2: Scalar | None = None,
    ) -> None:
        """Updates all variables with gradients that are the same on all replicas already.

        Keras's `apply` would add them up over the replicas once more.

        Args:
            gradients: The gradients, in the order of `variables`.
            variables: All variables that the optimizer was built for.
            learning_rate: The learning rate alpha.
            valid: Whether to change anything at all. If not, every variable is assigned its own value: a branch must
                not hold assignments under a strategy that replicates variables.
            reached: Which variables the loss depends on; only these are updated if each has a count of its own. None:
                all.
            beta_2: The decay of the second moment in this step, with which its bias is corrected too; None: the
                optimizer's own.
        """
        decay = self.beta_2 if beta_2 is None else beta_2
        for index, (gradient, variable) in enumerate(zip(gradients, variables, strict=True)):
            if not self.counts_each:
                self._update(gradient, variable, learning_rate, valid, decay)
            elif reached is None or reached[index]:
                self._update(gradient, variable, learning_rate, valid, decay)
                self.counts[index].assign_add(tf.cast(valid, tf.int64))
        self.iterations.assign_add(tf.cast(valid, self.iterations.dtype))

    def _update(
        self,
        gradient: Tensor,
        variable: keras.Variable | tf.Variable,
        learning_rate: Scalar | float,
        valid: Flag,
        beta_2: Scalar | float,
    ) -> None:
        index = self._get_variable_index(variable)
        done = self.counts[index] if self.counts_each else self.iterations
        step = tf.cast(done + 1, gradient.dtype)
        if self.beta_1 > 0:
            # m <- beta_1 m + (1 - beta_1) g, and m_hat = m / (1 - beta_1^t)
            moment = self.first_moments[index]
            first = self.beta_1 * moment + (1.0 - self.beta_1) * gradient
            self.assign(moment, tf.where(valid, first, moment))
            first = first / (1.0 - tf.pow(tf.constant(self.beta_1, step.dtype), step))
        else:
            first = gradient
        # v <- beta_2 v + (1 - beta_2) g^2, and v_hat = v / (1 - beta_2^t)
        moment = self.second_moments[index]
        second = beta_2 * moment + (1.0 - beta_2) * tf.square(gradient)
        self.assign(moment, tf.where(valid, second, moment))
        # Not a cast, which would round a Python number to float32 first.
        second = second / (1.0 - tf.pow(keras.ops.convert_to_tensor(beta_2, step.dtype), step))
        # w <- w - alpha m_hat / (sqrt(v_hat) + epsilon)
        rate = keras.ops.convert_to_tensor(learning_rate, gradient.dtype)
        change = rate * first / (tf.sqrt(second) + self.epsilon)
        self.assign_sub(variable, tf.where(valid, change, 0.0))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "counts_each": self.counts_each,
        }
