"""Batch normalisation whose gain and offset come from outside; its moments are taken over all replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.layer_options import BatchNormOptions
from biggan_tf.ops.batch_moments import batch_moments, batch_normalise, centre_scale_and_shift, interpolate_truncation
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.ops.replicas import num_replicas
from biggan_tf.types import Activations, InputShape, Scalar, Shape, Tensor, Truncation


@keras.saving.register_keras_serializable("biggan_tf")
class BatchNorm(keras.layers.Layer):
    """Brings each channel to mean 0 and deviation 1, then applies a gain and an offset for each channel and image.

    In training the moments are those of the batch, and the stored ones follow them; otherwise the stored ones are used.
    All are computed in float32, or in float64 under that policy.

    Args:
        options: A `BatchNormOptions`, or the dict of its fields that `get_config` returns; None takes its defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> BatchNorm()(x, gain, offset, training=True)  # x [N, H, W, C]; gain, offset [N or 1, C]
    """

    def __init__(self, options: BatchNormOptions | Mapping[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.options = BatchNormOptions.of(options)

    def build(self, x_shape: InputShape, *unused_shapes: InputShape | None) -> None:
        num_statistics = self.options.num_statistics
        shape = (x_shape[-1],) if num_statistics == 1 else (num_statistics, x_shape[-1])
        self.moving_mean = self._add_moment("moving_mean", shape, "zeros")
        self.moving_variance = self._add_moment("moving_variance", shape, "ones")

    def _add_moment(self, name: str, shape: Shape, initializer: str) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            trainable=False,
            dtype=accumulation_dtype(self.compute_dtype),
            autocast=False,
            aggregation="mean",
        )

    def call(
        self,
        x: Activations,
        gain: Float[Tensor, "#N C"] | None = None,
        offset: Float[Tensor, "#N C"] | None = None,
        training: bool = False,
        truncation: Truncation | None = None,
    ) -> Activations:
        """Normalises a batch.

        Args:
            x: The activations.
            gain: One row for each image, or a single row for all; None means 1.
            offset: One row for each image, or a single row for all; None means 0.
            training: Whether to use the moments of the batch, and to move the stored ones.
            truncation: Where between the stored sets of moments each image is, if there are several; None means 1.
        """
        record("batch_norm", x.shape)
        wide = accumulation_dtype(self.compute_dtype)
        gain = ops.ones((1, x.shape[-1]), wide) if gain is None else ops.cast(gain, wide)
        offset = ops.zeros((1, x.shape[-1]), wide) if offset is None else ops.cast(offset, wide)
        epsilon = self.options.epsilon
        if training:
            mean, variance = self._batch_moments(x)
            return batch_normalise(x, gain, offset, mean, variance, epsilon, self.options.group_size)
        mean, variance = self._stored_moments(truncation)
        # The moments are constants, so the four steps of algorithm 2 (arXiv:1502.03167) join to one product and sum.
        return centre_scale_and_shift(x, mean, gain * ops.rsqrt(variance + epsilon), offset)

    def _batch_moments(self, x: Activations) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
        """Mean and variance of the batch, after moving the stored ones towards them."""
        options = self.options
        if options.num_statistics > 1:
            raise ValueError(
                "A batch norm with standing statistics for several truncations must not be trained. "
                f"Received: training=True with num_statistics={options.num_statistics}"
            )
        mean, variance = batch_moments(x, ops.convert_to_tensor(self.moving_mean), options.group_size)
        running = variance * self._population_factor(x) if options.unbiased else variance
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, running)):
            moving.assign(moving * options.momentum + value * (1.0 - options.momentum))
        return mean, variance

    def _population_factor(self, x: Activations) -> Scalar:
        """The factor n / (n - 1) for the n values that a channel's moments span over all replicas that share them."""
        batch, height, width, _ = ops.shape(x)
        replicas = self.options.group_size or num_replicas()
        num_values = ops.cast(batch * height * width * replicas, self.moving_variance.dtype)
        return num_values / ops.maximum(num_values - 1.0, 1.0)

    def _stored_moments(self, truncation: Truncation | None) -> tuple[Float[Tensor, "#N C"], Float[Tensor, "#N C"]]:
        mean, variance = ops.convert_to_tensor(self.moving_mean), ops.convert_to_tensor(self.moving_variance)
        if self.options.num_statistics == 1:
            return mean[None], variance[None]
        truncation = 1.0 if truncation is None else truncation
        return interpolate_truncation(mean, truncation), interpolate_truncation(variance, truncation)

    def compute_output_shape(self, x_shape: InputShape, *unused_shapes: InputShape | None) -> Shape:
        return tuple(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "options": self.options.to_dict()}
