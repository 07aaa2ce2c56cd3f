"""How strongly both players of a game act on one another: the largest singular value of the mixed second derivative.

With theta and phi for the weights of the generator and the discriminator, s_max is the largest singular value of
d^2 E[D(G(z))] / d phi d theta, and r of the linearised game follows from it. `studies.dynamics` plays such games.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Float64

from biggan_tf.types import Logits, Tensor

Rates: TypeAlias = Float64[np.ndarray, " E"]
_ZERO = tf.UnconnectedGradients.ZERO


def growth_factor(rates: Rates, damping: float, singular: float) -> Rates:
    """By how much a simultaneous gradient step near an equilibrium multiplies the squared distance from it.

        r = (1 - eta alpha)^2 + (eta s)^2 = |1 - eta alpha + i eta s|^2

    Without damping r is above 1, and the more so the larger s is.

    Args:
        rates: eta, learning rates of both players, each of a game of its own.
        damping: alpha.
        singular: s, how strongly both players act on one another.
    """
    return (1.0 - rates * damping) ** 2 + (rates * singular) ** 2


def largest_interaction(
    logits_of_fakes: Callable[[], Logits],
    generator_weights: Sequence[tf.Variable],
    discriminator_weights: Sequence[tf.Variable],
    random: np.random.Generator,
    num_iterations: int = 4,
) -> float:
    """Computes s_max by power iteration.

    Args:
        logits_of_fakes: D's answers to images of G, the same ones at every call.
        generator_weights: theta.
        discriminator_weights: phi.
        random: Draws the vector from which the iteration starts.
        num_iterations: How many products with the matrix and its transpose there are. Each makes the estimate, which
            is never too large, better.
    """

    def times(vector: Sequence[Tensor], by: Sequence[tf.Variable], to: Sequence[tf.Variable]) -> list[Tensor]:
        """The derivative by `to` of (the derivative by `by`, times the vector)."""
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                value = tf.reduce_mean(logits_of_fakes())
            first = _dense(inner.gradient(value, by, unconnected_gradients=_ZERO))
            product = tf.add_n([tf.reduce_sum(a * b) for a, b in zip(first, vector, strict=True)])
        return _dense(outer.gradient(product, to, unconnected_gradients=_ZERO))

    vector = [tf.constant(random.standard_normal(tuple(v.shape)), v.dtype) for v in generator_weights]
    length = 0.0
    for _ in range(num_iterations):
        scale = tf.linalg.global_norm(vector)
        if not float(scale) > 0.0:  # no interaction in this direction, or a number that is not finite
            return float(scale) * length
        vector = [part / scale for part in vector]
        image = times(vector, generator_weights, discriminator_weights)
        length = float(tf.linalg.global_norm(image))
        vector = times(image, discriminator_weights, generator_weights)
    return length


def _dense(gradients: Sequence[Tensor | tf.IndexedSlices]) -> list[Tensor]:
    """Gradients of tables, of which TensorFlow gives the rows that were looked up, as tensors of the whole tables."""
    return [tf.convert_to_tensor(gradient) for gradient in gradients]
