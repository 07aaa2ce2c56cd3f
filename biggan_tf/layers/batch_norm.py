"""Batch normalisation whose gain and offset come from outside; its statistics are taken over all replicas."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.ops.batch_moments import batch_moments, interpolate_truncation, normalise, scale_and_shift
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.ops.replicas import num_replicas


@keras.saving.register_keras_serializable("biggan_tf")
class BatchNorm(keras.layers.Layer):
    """Normalises NHWC activations to mean 0, deviation 1, then applies a gain and an offset per channel and row.

    The moments are computed in float32, or in float64 under that policy, the variance biased and about the mean. With
    `num_statistics` > 1 the layer holds standing statistics for a grid of truncations 0 ... 1 (the Hub's modules: 51)
    and interpolates.

    Args:
        epsilon: Added to the variance.
        momentum: Share of the running moments that a training call keeps.
        unbiased: Let the running variance estimate the population's (n / (n - 1)); the batch's own is biased always.
        group_size: Replicas that share moments; 0: all of them.
        num_statistics: Sets of moments.

    Example:
        >>> BatchNorm()(x, gain, offset, training=True)  # x [N, H, W, C]; gain, offset [N or 1, C]
    """

    def __init__(
        self,
        epsilon: float = 1e-5,
        momentum: float = 0.9,
        unbiased: bool = True,
        group_size: int = 0,
        num_statistics: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.momentum = momentum
        self.unbiased = unbiased
        self.group_size = group_size
        self.num_statistics = num_statistics

    def build(self, x_shape: tuple[Any, ...], *unused_shapes: Any) -> None:
        rows = () if self.num_statistics == 1 else (self.num_statistics,)
        wide = accumulation_dtype(self.compute_dtype)
        state: dict[str, Any] = {"trainable": False, "dtype": wide, "autocast": False, "aggregation": "mean"}
        shape = (*rows, x_shape[-1])
        self.moving_mean = self.add_weight(name="moving_mean", shape=shape, initializer="zeros", **state)
        self.moving_variance = self.add_weight(name="moving_variance", shape=shape, initializer="ones", **state)

    def call(self, x: Any, gain: Any = None, offset: Any = None, training: bool = False, truncation: Any = None) -> Any:
        record("batch_norm", x.shape)
        wide = accumulation_dtype(self.compute_dtype)
        gain = ops.ones((1, x.shape[-1]), wide) if gain is None else ops.cast(gain, wide)
        offset = ops.zeros((1, x.shape[-1]), wide) if offset is None else ops.cast(offset, wide)
        if training:
            mean, variance = self._batch_moments(x)
            return normalise(x, gain, offset, mean, variance, self.epsilon, self.group_size)
        mean, variance = self._stored_moments(truncation)
        scale = gain * ops.rsqrt(variance + self.epsilon)  # [N or 1, C]
        return scale_and_shift(x, scale, offset - mean * scale)

    def _batch_moments(self, x: Any) -> tuple[Any, Any]:
        """The batch's, which the running ones move towards."""
        if self.num_statistics > 1:
            raise ValueError(
                "A batch norm with standing statistics for several truncations must not be trained. "
                f"Received: training=True with num_statistics={self.num_statistics}"
            )
        mean, variance = batch_moments(x, ops.convert_to_tensor(self.moving_mean), self.group_size)
        running = variance * self._population_factor(x) if self.unbiased else variance
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, running)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return mean, variance

    def _population_factor(self, x: Any) -> Any:
        """The factor n / (n - 1) for the n values that a channel's moments span over all replicas that share them."""
        batch, height, width, _ = ops.shape(x)
        replicas = self.group_size or num_replicas()
        values = ops.cast(batch * height * width * replicas, self.moving_variance.dtype)
        return values / ops.maximum(values - 1.0, 1.0)

    def _stored_moments(self, truncation: Any) -> tuple[Any, Any]:
        mean, variance = ops.convert_to_tensor(self.moving_mean), ops.convert_to_tensor(self.moving_variance)
        if self.num_statistics == 1:
            return mean[None], variance[None]
        truncation = 1.0 if truncation is None else truncation
        return interpolate_truncation(mean, truncation), interpolate_truncation(variance, truncation)

    def compute_output_shape(self, x_shape: tuple[Any, ...], *unused_shapes: Any) -> tuple[Any, ...]:
        return tuple(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "momentum": self.momentum,
            "unbiased": self.unbiased,
            "group_size": self.group_size,
            "num_statistics": self.num_statistics,
        }
