"""Adam as the published BigGAN results were made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("biggan_tf")
class Adam(keras.optimizers.Optimizer):
    """Kingma and Ba 2015 (arXiv:1412.6980, algorithm 1): w -= rate * m_hat / (sqrt(v_hat) + epsilon).

    `keras.optimizers.Adam` adds epsilon to the uncorrected sqrt(v), which at the first step with beta_2 = 0.999 makes
    it 31.6 times larger. With beta_1 = 0 no first moment is stored.

    Args:
        learning_rate: The rate of `update_step`; `apply_averaged` is told its own.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the root of the corrected second moment.
    """

    def __init__(
        self,
        learning_rate: float = 5e-5,
        beta_1: float = 0.0,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        name: str = "adam",
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: Sequence[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.first_moments = []
        if self.beta_1 > 0:
            self.first_moments = [self.add_variable_from_reference(v, name="first_moment") for v in variables]
        self.second_moments = [self.add_variable_from_reference(v, name="second_moment") for v in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable, for Keras's own `apply`, which holds the rate in float32 whatever the weights are."""
        self._update(gradient, variable, learning_rate, tf.constant(True))

    def apply_averaged(
        self, gradients: Sequence[Any], variables: Sequence[Any], learning_rate: Any, valid: Any
    ) -> None:
        """Applies gradients that are the same on all replicas already, which Keras's `apply` would sum once more.

        Args:
            gradients: In the order of `variables`.
            variables: All that the optimizer was built for.
            learning_rate: Scalar.
            valid: Scalar bool: whether to do anything. A select, because a branch must not hold assignments under a
                replicating strategy.
        """
        for gradient, variable in zip(gradients, variables, strict=True):
            self._update(gradient, variable, learning_rate, valid)
        self.iterations.assign_add(tf.cast(valid, self.iterations.dtype))

    def _update(self, gradient: Any, variable: Any, learning_rate: Any, valid: Any) -> None:
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, gradient.dtype)
        if self.beta_1 > 0:
            moment = self.first_moments[index]
            first = self.beta_1 * moment + (1.0 - self.beta_1) * gradient
            self.assign(moment, tf.where(valid, first, moment))
            first = first / (1.0 - tf.pow(tf.constant(self.beta_1, step.dtype), step))
        else:
            first = gradient
        moment = self.second_moments[index]
        second = self.beta_2 * moment + (1.0 - self.beta_2) * tf.square(gradient)
        self.assign(moment, tf.where(valid, second, moment))
        second = second / (1.0 - tf.pow(tf.constant(self.beta_2, step.dtype), step))
        # Not a cast, which would round a Python number to float32 first.
        rate = keras.ops.convert_to_tensor(learning_rate, gradient.dtype)
        change = rate * first / (tf.sqrt(second) + self.epsilon)
        self.assign_sub(variable, tf.where(valid, change, 0.0))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
