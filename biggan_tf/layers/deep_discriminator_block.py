"""BigGAN-deep's discriminator block (Brock et al. 2018, arXiv:1809.11096, figure 16c)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.ops import resampling


@keras.saving.register_keras_serializable("biggan_tf")
class DeepDiscriminatorBlock(keras.layers.Layer):
    """Bottleneck of four convolutions, each after a ReLU: 1x1 to filters / 4, 3x3, 3x3, [halve], 1x1 to `filters`.

    The skip is halved, and a 1x1 convolution of it supplies the channels that it lacks. No convolution stands directly
    before the averaging, so there is nothing to fuse: both 1x1 convolutions already run on the small image.

    Args:
        filters: Output channels, at least the input's.
        downsample: Halve height and width by averaging.
        convolution: Keyword arguments of `SNConv2D`.

    Example:
        >>> DeepDiscriminatorBlock(16)(keras.ops.ones((2, 8, 8, 8))).shape
        (2, 4, 4, 16)
    """

    def __init__(self, filters: int, downsample: bool = True, convolution: dict[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.downsample = downsample
        self.convolution = dict(convolution or {})

    def build(self, input_shape: tuple[Any, ...]) -> None:
        channels = input_shape[-1]
        if channels is None or channels > self.filters:
            raise ValueError(
                "A deep discriminator block must not drop channels, since its skip keeps them. "
                f"Received: {channels} channels for filters={self.filters}"
            )
        conv: dict[str, Any] = {"dtype": self.dtype_policy, **self.convolution}
        hidden = max(self.filters // 4, 1)
        self.convolutions = [
            SNConv2D(hidden, 1, name="conv_1", **conv),
            SNConv2D(hidden, 3, name="conv_2", **conv),
            SNConv2D(hidden, 3, name="conv_3", **conv),
            SNConv2D(self.filters, 1, name="conv_4", **conv),
        ]
        shape = tuple(input_shape)
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
        self.missing = None
        if self.filters > channels:
            self.missing = SNConv2D(self.filters - channels, 1, name="missing", **conv)
            self.missing.build(input_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        h = x
        for convolution in self.convolutions[:3]:
            h = convolution(ops.relu(h), training=training)
        h = ops.relu(h)
        if self.downsample:
            h, x = resampling.average_pool(h), resampling.average_pool(x)
        h = self.convolutions[3](h, training=training)
        if self.missing is not None:
            x = ops.concatenate([x, self.missing(x, training=training)], axis=-1)
        return h + x

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        batch, height, width, _ = input_shape
        if self.downsample:
            height, width = (None if size is None else size // 2 for size in (height, width))
        return (batch, height, width, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "downsample": self.downsample,
            "convolution": self.convolution,
        }
