"""All batch norms of a generator for inference, computed at once: a scale and a shift for each of their channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.networks.generator import Generator
from biggan_tf.ops.batch_moments import interpolate_truncation, scale_and_shift
from serving.export.network_layers import layers_of


class Modulations(tf.Module):
    """Replaces what the batch norms of a folded generator compute.

    With stored moments a conditional batch norm puts out x * scale + shift, where

        scale = gain(condition) / sqrt(variance(truncation) + epsilon)
        shift = offset(condition) - mean(truncation) * scale

    depend on the row and not on x. Here the gains and offsets of all norms that see the same condition come out of one
    matrix product, and the moments of all norms are interpolated between truncations together. The norms of the
    generator are changed to read their pair from the condition that they are called with, which must be the list that
    `Modulations` returned.

    Args:
        generator: Its kernels were divided by their singular values, and its norms hold the moments to serve with.
    """

    def __init__(self, generator: Generator):
        super().__init__(name="modulations")
        model = generator.model_config
        by_stage = [
            [norm for layer in layers for norm in layers_of(layer, ConditionalBatchNorm).values()]
            for layers in generator.blocks
        ]
        # Only BigGAN's hierarchical latents give each stage a condition of its own.
        own = model.hierarchical and not model.is_deep
        self._stages = [*(range(len(by_stage)) if own else [0]), -1]
        groups = by_stage if own else [[norm for stage in by_stage for norm in stage]]
        groups = [*groups, [generator.final_norm]]
        norms = [norm for group in groups for norm in group]
        self._affine = [_Affine(group, generator.conventions.gain_base) for group in groups]
        self._channels = [norm.norm.moving_mean.shape[-1] for norm in norms]
        self._moments = _fixed(_moments(norms))
        self.replaced = [weight for norm in norms for weight in norm.weights]
        for index, norm in enumerate(norms):
            _read_pair(norm, index)

    def __call__(self, conditions: list[Any], truncation: Any) -> list[tuple[Any, Any]]:
        """The pair (scale, shift), each [N, C], of every norm.

        Args:
            conditions: What `Generator.conditions` made of N rows, each [N, D] or None.
            truncation: [N].
        """
        made = [affine(conditions[stage], truncation) for stage, affine in zip(self._stages, self._affine, strict=True)]
        gain, offset = (tf.concat(parts, axis=1) for parts in zip(*made, strict=True))
        mean, variance = tf.split(self._stored_moments(truncation), 2, axis=1)
        scale = gain * tf.math.rsqrt(variance)
        shift = offset - mean * scale
        return list(zip(tf.split(scale, self._channels, 1), tf.split(shift, self._channels, 1), strict=True))

    def _stored_moments(self, truncation: Any) -> Any:
        """[N, 2 C of all norms], or [1, ...] where they do not depend on the truncation."""
        table = tf.convert_to_tensor(self._moments)
        return table if table.shape[0] == 1 else interpolate_truncation(table, truncation)


class _Affine(tf.Module):
    """Gains and offsets of the norms that see one condition: the condition times a matrix, plus what is constant."""

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

    def __call__(self, condition: Any, truncation: Any) -> tuple[Any, Any]:
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
    variances = [np.atleast_2d(norm.norm.moving_variance.numpy()) + np.float32(norm.norm.epsilon) for norm in norms]
    return np.concatenate(means + variances, axis=1)


def _read_pair(norm: ConditionalBatchNorm, index: int) -> None:
    """Makes a norm take its scale and shift from the list that it is given as its condition."""

    def call(x: Any, condition: Any, training: bool = False, truncation: Any = None) -> Any:
        del training, truncation
        scale, shift = condition[index]
        return scale_and_shift(x, scale, shift)

    setattr(norm, "call", call)  # noqa: B010  mypy takes `norm.call = call` for a mistake


def _fixed(value: np.ndarray) -> tf.Variable:
    return tf.Variable(value.astype(np.float32), trainable=False)
