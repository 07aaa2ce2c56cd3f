"""Batch norm with a gain and an offset that are predicted from a condition, or are trained variables themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from jaxtyping import Float

from biggan_tf.layer_options import BatchNormOptions, SpectralNormOptions
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.layers.dense import SNDense
from biggan_tf.ops.channels import num_channels
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.types import Activations, InputShape, Shape, Tensor, Truncation


@keras.saving.register_keras_serializable("biggan_tf")
class ConditionalBatchNorm(keras.layers.Layer):
    """Batch norm whose gain and offset are linear in a condition (Brock et al. 2018, arXiv:1809.11096, section 3.1).

        gain = gain_base + SNDense(condition)
        offset = SNDense(condition)

    neither with a bias. Without a condition (None) gain and offset are trained variables that start at 1 and 0: the
    plain batch norm before the last convolution of a generator, and of networks without classes.

    Args:
        gain_base: 1, the paper's, or 0 as in compare_gan.
        batch_norm: A `BatchNormOptions`, or the dict of its fields that `get_config` returns; None takes its defaults.
        spectral_norm: A `SpectralNormOptions` for the two dense layers, or the dict of its fields; None takes its
            defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> ConditionalBatchNorm()(x, condition, training=True)  # [N, H, W, C], [N, D] -> [N, H, W, C]
    """

    def __init__(
        self,
        gain_base: float = 1.0,
        batch_norm: BatchNormOptions | Mapping[str, Any] | None = None,
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.gain_base = gain_base
        self.batch_norm = BatchNormOptions.of(batch_norm)
        self.spectral_norm = SpectralNormOptions.of(spectral_norm)
        self.norm = BatchNorm(self.batch_norm, name="norm", dtype=self.dtype_policy)

    def build(self, x_shape: InputShape, condition_shape: InputShape | None = None) -> None:
        channels = num_channels(x_shape)
        self.norm.build(x_shape)
        self.is_conditional = condition_shape is not None
        if condition_shape is not None:
            self.gain = self._dense(channels, "gain")
            self.offset = self._dense(channels, "offset")
            self.gain.build(condition_shape)
            self.offset.build(condition_shape)
        else:
            self.gain = self._variable(channels, "gain", "ones")
            self.offset = self._variable(channels, "offset", "zeros")

    def _dense(self, channels: int, name: str) -> SNDense:
        return SNDense(channels, use_bias=False, spectral_norm=self.spectral_norm, name=name, dtype=self.dtype_policy)

    def _variable(self, channels: int, name: str, initializer: str) -> keras.Variable:
        wide = accumulation_dtype(self.compute_dtype)
        return self.add_weight(name=name, shape=(channels,), initializer=initializer, dtype=wide, autocast=False)

    def call(
        self,
        x: Activations,
        condition: Float[Tensor, "N D"] | None = None,
        training: bool = False,
        truncation: Truncation | None = None,
    ) -> Activations:
        if self.is_conditional:
            gain = self.gain_base + widen(self.gain(condition, training=training))
            offset = self.offset(condition, training=training)
        else:
            gain, offset = self.gain[None], self.offset[None]
        return self.norm(x, gain, offset, training=training, truncation=truncation)

    def compute_output_shape(self, x_shape: InputShape, condition_shape: InputShape | None = None) -> Shape:
        return tuple(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "gain_base": self.gain_base,
            "batch_norm": self.batch_norm.to_dict(),
            "spectral_norm": self.spectral_norm.to_dict(),
        }
