"""BigGAN's discriminator block (Brock et al. 2018, arXiv:1809.11096, figure 15c)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.layers.convolution import SNConv2D

SHORTCUTS = ("identity", "none")


@keras.saving.register_keras_serializable("biggan_tf")
class DiscriminatorBlock(keras.layers.Layer):
    """[ReLU], 3x3, ReLU, 3x3, [halve], beside a shortcut 1x1, [halve] from the un-activated input.

    Args:
        filters: Output channels.
        downsample: Halve height and width by averaging.
        preactivation: Begin with a ReLU; not in the first block, which sees the image.
        equal_channels_shortcut: Where input and output channels agree: "identity" (with a 1x1 convolution if the block
            halves the image), or "none" as in compare_gan.
        fused: Fuse the halving into the convolutions.
        convolution: Keyword arguments of `SNConv2D`.

    Example:
        >>> DiscriminatorBlock(8)(keras.ops.ones((2, 16, 16, 3))).shape
        (2, 8, 8, 8)
    """

    def __init__(
        self,
        filters: int,
        downsample: bool = True,
        preactivation: bool = True,
        equal_channels_shortcut: str = "identity",
        fused: bool = True,
        convolution: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if equal_channels_shortcut not in SHORTCUTS:
            raise ValueError(
                f"equal_channels_shortcut must be one of {', '.join(SHORTCUTS)}. Received: {equal_channels_shortcut!r}"
            )
        self.filters = filters
        self.downsample = downsample
        self.preactivation = preactivation
        self.equal_channels_shortcut = equal_channels_shortcut
        self.fused = fused
        self.convolution = dict(convolution or {})
        conv: dict[str, Any] = {"dtype": self.dtype_policy, **self.convolution}
        resampled: dict[str, Any] = {"resampling": "pool" if downsample else None, "fused": fused, **conv}
        self.conv_1 = SNConv2D(filters, 3, name="conv_1", **conv)
        self.conv_2 = SNConv2D(filters, 3, name="conv_2", **resampled)
        self.shortcut = SNConv2D(filters, 1, name="shortcut", **resampled)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        self.conv_1.build(input_shape)
        self.conv_2.build((*input_shape[:-1], self.filters))
        equal = input_shape[-1] == self.filters
        if equal and self.equal_channels_shortcut == "none":
            self.shortcut_kind = "none"
        elif equal and not self.downsample:
            self.shortcut_kind = "identity"
        else:
            self.shortcut_kind = "convolution"
            self.shortcut.build(input_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        h = ops.relu(x) if self.preactivation else x
        h = ops.relu(self.conv_1(h, training=training))
        h = self.conv_2(h, training=training)
        if self.shortcut_kind == "none":
            return h
        return h + (self.shortcut(x, training=training) if self.shortcut_kind == "convolution" else x)

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return self.conv_2.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "downsample": self.downsample,
            "preactivation": self.preactivation,
            "equal_channels_shortcut": self.equal_channels_shortcut,
            "fused": self.fused,
            "convolution": self.convolution,
        }
