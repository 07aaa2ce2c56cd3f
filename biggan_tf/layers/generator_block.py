"""BigGAN's generator block (Brock et al. 2018, arXiv:1809.11096, figure 15b)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D


@keras.saving.register_keras_serializable("biggan_tf")
class GeneratorBlock(keras.layers.Layer):
    """cBN, ReLU, [double], 3x3, cBN, ReLU, 3x3, beside a shortcut [double], 1x1.

    The shortcut is the identity where neither channels nor size change.

    Args:
        filters: Output channels.
        upsampling: None, "nearest" or "zero_insertion".
        fused: Fuse the doubling into the convolutions.
        convolution: Keyword arguments of `SNConv2D`.
        norm: Keyword arguments of `ConditionalBatchNorm`.

    Example:
        >>> GeneratorBlock(8, "nearest")(x, condition)  # [N, H, W, C], [N, D] -> [N, 2H, 2W, 8]
    """

    def __init__(
        self,
        filters: int,
        upsampling: str | None = None,
        fused: bool = True,
        convolution: dict[str, Any] | None = None,
        norm: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.upsampling = upsampling
        self.fused = fused
        self.convolution = dict(convolution or {})
        self.norm = dict(norm or {})
        conv: dict[str, Any] = {"dtype": self.dtype_policy, **self.convolution}
        resampled: dict[str, Any] = {"resampling": upsampling, "fused": fused, **conv}
        self.norm_1 = ConditionalBatchNorm(name="norm_1", dtype=self.dtype_policy, **self.norm)
        self.conv_1 = SNConv2D(filters, 3, name="conv_1", **resampled)
        self.norm_2 = ConditionalBatchNorm(name="norm_2", dtype=self.dtype_policy, **self.norm)
        self.conv_2 = SNConv2D(filters, 3, name="conv_2", **conv)
        self.shortcut = SNConv2D(filters, 1, name="shortcut", **resampled)

    def build(self, x_shape: tuple[Any, ...], condition_shape: tuple[Any, ...] | None = None) -> None:
        output_shape = self.compute_output_shape(x_shape)
        self.norm_1.build(x_shape, condition_shape)
        self.conv_1.build(x_shape)
        self.norm_2.build(output_shape, condition_shape)
        self.conv_2.build(output_shape)
        self.has_shortcut = x_shape[-1] != self.filters or self.upsampling is not None
        if self.has_shortcut:
            self.shortcut.build(x_shape)

    def call(self, x: Any, condition: Any = None, training: bool = False, truncation: Any = None) -> Any:
        h = ops.relu(self.norm_1(x, condition, training=training, truncation=truncation))
        h = self.conv_1(h, training=training)
        h = ops.relu(self.norm_2(h, condition, training=training, truncation=truncation))
        h = self.conv_2(h, training=training)
        return h + (self.shortcut(x, training=training) if self.has_shortcut else x)

    def compute_output_shape(self, x_shape: tuple[Any, ...], condition_shape: Any = None) -> tuple[Any, ...]:
        return self.conv_1.compute_output_shape(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "upsampling": self.upsampling,
            "fused": self.fused,
            "convolution": self.convolution,
            "norm": self.norm,
        }
