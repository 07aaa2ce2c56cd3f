"""Batch norm with a gain and an offset predicted from a condition, or learnt outright."""

from __future__ import annotations

from typing import Any

import keras

from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.layers.dense import SNDense
from biggan_tf.ops.precision import accumulation_dtype, widen


@keras.saving.register_keras_serializable("biggan_tf")
class ConditionalBatchNorm(keras.layers.Layer):
    """gain = `gain_base` + SNDense(condition), offset = SNDense(condition), neither with a bias (section 3.1).

    Without a condition (None) both are trained variables, 1 and 0 at first: the plain batch norm of the tail and of
    unconditional networks.

    Args:
        gain_base: 1, or 0 as in compare_gan.
        batch_norm: Keyword arguments of `BatchNorm`.
        dense: Keyword arguments of `SNDense` (initialiser, epsilon).

    Example:
        >>> ConditionalBatchNorm()(x, condition, training=True)  # [N, H, W, C], [N, D] -> [N, H, W, C]
    """

    def __init__(
        self,
        gain_base: float = 1.0,
        batch_norm: dict[str, Any] | None = None,
        dense: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.gain_base = gain_base
        self.batch_norm = dict(batch_norm or {})
        self.dense = dict(dense or {})
        self.norm = BatchNorm(name="norm", dtype=self.dtype_policy, **self.batch_norm)

    def build(self, x_shape: tuple[Any, ...], condition_shape: tuple[Any, ...] | None = None) -> None:
        channels = x_shape[-1]
        self.norm.build(x_shape)
        self.is_conditional = condition_shape is not None
        if condition_shape is not None:
            options: dict[str, Any] = {"use_bias": False, "dtype": self.dtype_policy, **self.dense}
            self.gain = SNDense(channels, name="gain", **options)
            self.offset = SNDense(channels, name="offset", **options)
            self.gain.build(condition_shape)
            self.offset.build(condition_shape)
        else:
            options = {"shape": (channels,), "dtype": accumulation_dtype(self.compute_dtype), "autocast": False}
            self.gain = self.add_weight(name="gain", initializer="ones", **options)
            self.offset = self.add_weight(name="offset", initializer="zeros", **options)

    def call(self, x: Any, condition: Any = None, training: bool = False, truncation: Any = None) -> Any:
        if self.is_conditional:
            gain = self.gain_base + widen(self.gain(condition, training=training))
            offset = self.offset(condition, training=training)
        else:
            gain, offset = self.gain[None], self.offset[None]
        return self.norm(x, gain, offset, training=training, truncation=truncation)

    def compute_output_shape(self, x_shape: tuple[Any, ...], condition_shape: Any = None) -> tuple[Any, ...]:
        return tuple(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "gain_base": self.gain_base,
            "batch_norm": self.batch_norm,
            "dense": self.dense,
        }
