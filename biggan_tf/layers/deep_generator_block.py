"""BigGAN-deep's generator block (Brock et al. 2018, arXiv:1809.11096, figure 16b)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.ops import resampling


@keras.saving.register_keras_serializable("biggan_tf")
class DeepGeneratorBlock(keras.layers.Layer):
    """Bottleneck of four convolutions, each after cBN and ReLU: 1x1 to in / 4, [double], 3x3, 3x3, 1x1 to `filters`.

    The skip keeps the first `filters` channels and doubles them; `filters` must not exceed the input's channels.

    Args:
        filters: Output channels.
        upsampling: None, "nearest" or "zero_insertion".
        fused: Fuse the doubling into the first 3x3 convolution.
        convolution: Keyword arguments of `SNConv2D`.
        norm: Keyword arguments of `ConditionalBatchNorm`.

    Example:
        >>> DeepGeneratorBlock(8, "nearest")(x, condition)  # [N, H, W, 16], [N, D] -> [N, 2H, 2W, 8]
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

    def build(self, x_shape: tuple[Any, ...], condition_shape: tuple[Any, ...] | None = None) -> None:
        channels = x_shape[-1]
        if channels is None or channels < self.filters:
            raise ValueError(
                "A deep generator block must not add channels, since its skip drops them. "
                f"Received: {channels} channels for filters={self.filters}"
            )
        conv: dict[str, Any] = {"dtype": self.dtype_policy, **self.convolution}
        hidden = max(channels // 4, 1)
        self.convolutions = [
            SNConv2D(hidden, 1, name="conv_1", **conv),
            SNConv2D(hidden, 3, name="conv_2", resampling=self.upsampling, fused=self.fused, **conv),
            SNConv2D(hidden, 3, name="conv_3", **conv),
            SNConv2D(self.filters, 1, name="conv_4", **conv),
        ]
        self.norms = [
            ConditionalBatchNorm(name=f"norm_{i + 1}", dtype=self.dtype_policy, **self.norm) for i in range(4)
        ]
        shape = tuple(x_shape)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            norm.build(shape, condition_shape)
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)

    def call(self, x: Any, condition: Any = None, training: bool = False, truncation: Any = None) -> Any:
        h = x
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            h = ops.relu(norm(h, condition, training=training, truncation=truncation))
            h = convolution(h, training=training)
        skip = x[..., : self.filters]
        return h + (skip if self.upsampling is None else resampling.upsample(skip, self.upsampling))

    def compute_output_shape(self, x_shape: tuple[Any, ...], condition_shape: Any = None) -> tuple[Any, ...]:
        batch, height, width, _ = x_shape
        if self.upsampling is not None:
            height, width = (None if size is None else size * 2 for size in (height, width))
        return (batch, height, width, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "upsampling": self.upsampling,
            "fused": self.fused,
            "convolution": self.convolution,
            "norm": self.norm,
        }
