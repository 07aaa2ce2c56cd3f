"""All batch norms of a generator for inference, computed at once: a scale and a shift for each of their channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.networks.generator import Generator
from biggan_tf.ops.batch_moments import scale_and_shift


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
        by_stage = [_norms_in(layers) for layers in generator.blocks]
        # Only BigGAN's hierarchical latents give each stage a condition of its own.
        own = model.hierarchical and not model.is_deep
        self._stages = [*(range(len(by_stage)) if own else [0]), -1]
        groups = by_stage if own else [[norm for stage in by_stage for norm in stage]]
        groups = [*groups, [generator.final_norm]]
        norms = [norm for group in groups for norm in group]
        self._affine = [_Affine(group, generator.conventions.gain_base) for group in groups]
        self._channels = [norm.norm.moving_mean.shape[-1] for norm in norms]
        self._mean = _moments([norm.norm.moving_mean for norm in norms], [0.0] * len(norms))
        self._variance = _moments([norm.norm.moving_variance for norm in norms], [norm.norm.epsilon for norm in norms])
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
        mean, variance = _interpolate([self._mean, self._variance], truncation)
        scale = gain * tf.math.rsqrt(variance)
        shift = offset - mean * scale
        return list(zip(tf.split(scale, self._channels, 1), tf.split(shift, self._channels, 1), strict=True))


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


def _norms_in(layers: Sequence[keras.layers.Layer]) -> list[ConditionalBatchNorm]:
    return [
        found
        for layer in layers
        for found in layer._flatten_layers(include_self=False)
        if isinstance(found, ConditionalBatchNorm)
    ]


def _moments(variables: Sequence[Any], added: Sequence[float]) -> tf.Variable:
    """[T, C of all norms], for T truncations evenly over 0 ... 1."""
    rows = [
        np.atleast_2d(variable.numpy()) + np.float32(extra) for variable, extra in zip(variables, added, strict=True)
    ]
    return _fixed(np.concatenate(rows, axis=1))


def _interpolate(tables: Sequence[tf.Variable], truncation: Any) -> list[Any]:
    """Rows of tables [T, C] at truncations [N], linearly between neighbours: [N, C] each, or [1, C] where T is 1."""
    count = tables[0].shape[0]
    if count == 1:
        return [tf.convert_to_tensor(table) for table in tables]
    position = tf.clip_by_value(truncation, 0.0, 1.0) * (count - 1)
    lower = tf.floor(position)
    share = (position - lower)[:, None]  # of the upper neighbour
    first = tf.cast(lower, tf.int32)
    second = tf.minimum(first + 1, count - 1)
    return [(1.0 - share) * tf.gather(table, first) + share * tf.gather(table, second) for table in tables]


def _read_pair(norm: ConditionalBatchNorm, index: int) -> None:
    """Makes a norm take its scale and shift from the list that it is given as its condition."""

    def call(x: Any, condition: Any, training: bool = False, truncation: Any = None) -> Any:
        del training, truncation
        scale, shift = condition[index]
        return scale_and_shift(x, scale, shift)

    setattr(norm, "call", call)  # noqa: B010  mypy takes `norm.call = call` for a mistake


def _fixed(value: np.ndarray) -> tf.Variable:
    return tf.Variable(value.astype(np.float32), trainable=False)
