"""Computes the scales and shifts of all batch norms of a generator for inference at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Float

from biggan_tf.contracts.network import layers_of
from biggan_tf.families.biggan.blocks import NormInputs
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.inference.folding import replace_call
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.ops.batch_moments import interpolate_truncation, scale_and_shift
from biggan_tf.types import Activations, Tensor, Truncation

Rows: TypeAlias = Float[Tensor, "N _"]  # a number for each row and channel; each norm has channels of its own


class Modulations(tf.Module):
    """Computes what the batch norms of a generator for inference multiply by and add.

    With stored moments a conditional batch norm is x * scale + shift, where

        scale = gain(condition) / sqrt(variance(truncation) + epsilon)
        shift = offset(condition) - mean(truncation) * scale

    depend on the row and not on x. Here the gains and offsets of all norms that see the same condition come out of one
    matrix product, and the moments of all norms are interpolated between truncations together. The norms of the
    generator are changed to read their pair from the condition that they are called with, which must be the list that
    `Modulations` returned.

    Args:
        generator: A generator whose kernels were divided by their singular values and whose batch norms hold the
            moments to serve with. Its batch norms are changed, so it must not be used without this object afterwards.

    Attributes:
        replaced: The variables of the generator that nothing reads any more.
    """

    def __init__(self, generator: Generator):
        super().__init__(name="modulations")
        model = generator.config
        by_level = [
            [norm for layer in layers for norm in layers_of(layer, ConditionalBatchNorm).values()]
            for layers in generator.blocks
        ]
        # Only BigGAN's hierarchical latents give each level a condition of its own.
        own = model.hierarchical and not model.is_deep
        self._levels = [*(range(len(by_level)) if own else [0]), -1]
        groups = by_level if own else [[norm for level in by_level for norm in level]]
        groups = [*groups, [generator.final_norm]]
        norms = [norm for group in groups for norm in group]
        self._affine = [_Affine(group, generator.variant.gain_base) for group in groups]
        self._channels = [norm.norm.moving_mean.shape[-1] for norm in norms]
        self._moments = _fixed(_moments(norms))
        self.replaced = [weight for norm in norms for weight in norm.weights]
        for index, norm in enumerate(norms):
            _read_pair(norm, index)

    def __call__(
        self, conditions: Sequence[NormInputs | None], truncation: Float[Tensor, " N"]
    ) -> list[tuple[Rows, Rows]]:
        """Computes the scale and the shift of every batch norm.

        Args:
            conditions: What `Generator.conditions` returned.
            truncation: How far the latents of each row were truncated, from 0 to 1.
        """
        gains_and_offsets = [
            affine(conditions[level], truncation) for level, affine in zip(self._levels, self._affine, strict=True)
        ]
        gain, offset = (tf.concat(parts, axis=1) for parts in zip(*gains_and_offsets, strict=True))
        mean, variance = tf.split(self._stored_moments(truncation), 2, axis=1)
        scale = gain * tf.math.rsqrt(variance)
        shift = offset - mean * scale
        return list(zip(tf.split(scale, self._channels, 1), tf.split(shift, self._channels, 1), strict=True))

    def _stored_moments(self, truncation: Float[Tensor, " N"]) -> Float[Tensor, "_ _"]:
        """[N, 2 C of all norms], or [1, 2 C of all norms] if they do not depend on the truncation."""
        table = tf.convert_to_tensor(self._moments)
        return table if table.shape[0] == 1 else interpolate_truncation(table, truncation)


class _Affine(tf.Module):
    """The gains and offsets of the norms with one condition: the condition times a matrix, plus a constant."""

    def __init__(self, norms: Sequence[ConditionalBatchNorm], gain_base: float):
        super().__init__()
        self._half = sum(norm.norm.moving_mean.shape[-1] for norm in norms)
        self._matrix = None
        if norms[0].is_conditional:
            parts = [norm.gain.kernel for norm in norms] + [norm.offset.kernel for norm in norms]
            self._matrix = _fixed(np.concatenate([part.numpy() for part in parts], axis=1))
            constant = np.repeat([gain_base, 0.0], self._half)
        else:
            constant = np.concatenate([norm.gain.numpy() for norm in norms] + [norm.offset.numpy() for norm in norms])
        self._constant = _fixed(constant[None])

    def __call__(self, condition: NormInputs | None, truncation: Float[Tensor, " N"]) -> tuple[Rows, Rows]:
        """Gains and offsets [N, C of all norms]; the truncation tells N where there is no condition."""
        if self._matrix is None:
            values = tf.convert_to_tensor(self._constant)
            if truncation.shape[0] != 1:
                values = tf.repeat(values, tf.shape(truncation)[0], axis=0)
        else:
            values = tf.matmul(tf.cast(condition, tf.float32), self._matrix) + self._constant
        return values[:, : self._half], values[:, self._half :]


def _moments(norms: Sequence[ConditionalBatchNorm]) -> np.ndarray:
    """[T, 2 C of all norms]: means, then variances with their epsilon, for T truncations evenly over 0 ... 1."""
    means = [np.atleast_2d(norm.norm.moving_mean.numpy()) for norm in norms]
    variances = [
        np.atleast_2d(norm.norm.moving_variance.numpy()) + np.float32(norm.norm.options.epsilon) for norm in norms
    ]
    return np.concatenate(means + variances, axis=1)


def _read_pair(norm: ConditionalBatchNorm, index: int) -> None:
    """Makes a norm take its scale and shift from the list that it is given as its condition."""

    def call(
        x: Activations,
        condition: list[tuple[Rows, Rows]],
        training: bool = False,
        truncation: Truncation | None = None,
    ) -> Activations:
        del training, truncation
        scale, shift = condition[index]
        return scale_and_shift(x, scale, shift)

    replace_call(norm, call)


def _fixed(value: np.ndarray) -> tf.Variable:
    return tf.Variable(value.astype(np.float32), trainable=False)
