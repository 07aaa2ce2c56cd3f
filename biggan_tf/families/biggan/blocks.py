"""The residual blocks of BigGAN and BigGAN-deep (Brock et al. 2018, arXiv:1809.11096, figures 15 and 16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.config import to_dict
from biggan_tf.layer_options import BatchNormOptions, SpectralNormOptions
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.norm_slots import Classes, Norm, built_slot, norm_of, through
from biggan_tf.ops import resampling
from biggan_tf.ops.channels import num_channels
from biggan_tf.types import Activations, InputShape, Shape, Tensor, Truncation

SHORTCUTS = ("identity", "none")

# What the batch norms of a block predict their gains and offsets from: a chunk of z, a class embedding, or both. In a
# generator that was folded it is the list of the scale and the shift of each batch norm instead, see modulations.py.
NormInputs: TypeAlias = Float[Tensor, "N D"] | Sequence[tuple[Float[Tensor, "#N _"], Float[Tensor, "#N _"]]]


@keras.saving.register_keras_serializable("biggan_tf")
class GeneratorBlock(keras.layers.Layer):
    """A block of BigGAN's generator (figure 15b), which doubles the image if `upsampling` is given.

        h = conv3x3(double(ReLU(cBN(x))))
        y = conv3x3(ReLU(cBN(h))) + conv1x1(double(x))

    where cBN is `ConditionalBatchNorm`. Where neither channels nor size change, x itself is added.

    Args:
        filters: The number of output channels.
        upsampling: How to double the image, one of `ops.resampling.UPSAMPLINGS`; None keeps its size.
        fused: Whether the first and the 1x1 convolution run at the lower resolution: the same values in less time.
        gain_base: What the batch norms add to their predicted gain: 1, the paper's, or 0 as in compare_gan.
        spectral_norm: A `SpectralNormOptions` for all kernels, or the dict of its fields that `get_config` returns;
            None takes its defaults.
        batch_norm: A `BatchNormOptions`, or the dict of its fields; None takes its defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> GeneratorBlock(8, "nearest")(x, condition)  # [N, H, W, C], [N, D] -> [N, 2H, 2W, 8]
    """

    def __init__(
        self,
        filters: int,
        upsampling: str | None = None,
        fused: bool = True,
        gain_base: float = 1.0,
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        batch_norm: BatchNormOptions | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.upsampling = upsampling
        self.fused = fused
        self.gain_base = gain_base
        self.spectral_norm = SpectralNormOptions.of(spectral_norm)
        self.batch_norm = BatchNormOptions.of(batch_norm)
        self.norm_1 = self._norm("norm_1")
        self.conv_1 = self._convolution(3, "conv_1", upsampling)
        self.norm_2 = self._norm("norm_2")
        self.conv_2 = self._convolution(3, "conv_2", None)
        self.shortcut = self._convolution(1, "shortcut", upsampling)

    def _norm(self, name: str) -> ConditionalBatchNorm:
        return ConditionalBatchNorm(
            self.gain_base, self.batch_norm, self.spectral_norm, name=name, dtype=self.dtype_policy
        )

    def _convolution(self, kernel_size: int, name: str, upsampling: str | None) -> SNConv2D:
        return SNConv2D(
            self.filters,
            kernel_size,
            resampling=upsampling,
            fused=self.fused,
            spectral_norm=self.spectral_norm,
            name=name,
            dtype=self.dtype_policy,
        )

    def build(self, x_shape: InputShape, condition_shape: InputShape | None = None) -> None:
        output_shape = self.compute_output_shape(x_shape)
        self.norm_1.build(x_shape, condition_shape)
        self.conv_1.build(x_shape)
        self.norm_2.build(output_shape, condition_shape)
        self.conv_2.build(output_shape)
        self.has_shortcut = x_shape[-1] != self.filters or self.upsampling is not None
        if self.has_shortcut:
            self.shortcut.build(x_shape)

    def call(
        self,
        x: Activations,
        condition: NormInputs | None = None,
        training: bool = False,
        truncation: Truncation | None = None,
    ) -> Float[Tensor, "N H2 W2 O"]:
        # Figure 15b, the left branch from top to bottom.
        h = ops.relu(self.norm_1(x, condition, training=training, truncation=truncation))
        h = self.conv_1(h, training=training)
        h = ops.relu(self.norm_2(h, condition, training=training, truncation=truncation))
        h = self.conv_2(h, training=training)
        # The right branch.
        return h + (self.shortcut(x, training=training) if self.has_shortcut else x)

    def compute_output_shape(self, x_shape: InputShape, condition_shape: InputShape | None = None) -> Shape:
        return self.conv_1.compute_output_shape(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "upsampling": self.upsampling,
            "fused": self.fused,
            "gain_base": self.gain_base,
            "spectral_norm": self.spectral_norm.to_dict(),
            "batch_norm": self.batch_norm.to_dict(),
        }


def _check_pooling(pooling: str) -> None:
    if pooling not in resampling.POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(resampling.POOLINGS)}. Received: {pooling!r}")


@keras.saving.register_keras_serializable("biggan_tf")
class DiscriminatorBlock(keras.layers.Layer):
    """A block of BigGAN's discriminator (figure 15c), which halves the image if `downsample` is set.

        y = halve(conv3x3(ReLU(norm(conv3x3(ReLU(norm(x))))))) + halve(conv1x1(x))

    where norm stands for a norm slot, which the paper leaves empty.

    Args:
        filters: The number of output channels.
        downsample: Whether height and width are halved.
        preactivation: Whether the block begins with a ReLU. The first block of a network does not: it sees the image,
            whose negative values the ReLU would drop.
        equal_channels_shortcut: What is added where input and output channels agree: "identity" adds x (through a 1x1
            convolution if the block halves the image), "none" adds nothing, as in compare_gan.
        fused: Whether the second and the 1x1 convolution run at the lower resolution: the same values in less time.
        spectral_norm: A `SpectralNormOptions` for all kernels, or the dict of its fields that `get_config` returns;
            None takes its defaults.
        norm: What the block's norm slots hold, the configuration of a norm or the dict that `to_dict` wrote of one;
            None, the default, leaves them empty. Whether kernels are divided, `spectral_norm` alone says.
        pooling: How height and width are halved: "mean", the paper's, by the mean of 2x2 pixels; or "filtered", by
            every second pixel of the image that was smoothed with a filter, see `ops.resampling.pool`.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

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
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        norm: Norm = None,
        pooling: str = "mean",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if equal_channels_shortcut not in SHORTCUTS:
            raise ValueError(
                f"equal_channels_shortcut must be one of {', '.join(SHORTCUTS)}. Received: {equal_channels_shortcut!r}"
            )
        _check_pooling(pooling)
        self.filters = filters
        self.downsample = downsample
        self.preactivation = preactivation
        self.equal_channels_shortcut = equal_channels_shortcut
        self.fused = fused
        self.spectral_norm = SpectralNormOptions.of(spectral_norm)
        self.norm = norm_of(norm)
        self.pooling = pooling
        pool = {"mean": "pool", "filtered": "filtered_pool"}[pooling] if downsample else None
        self.conv_1 = self._convolution(3, "conv_1", None)
        self.conv_2 = self._convolution(3, "conv_2", pool)
        self.shortcut = self._convolution(1, "shortcut", pool)

    def _convolution(self, kernel_size: int, name: str, pool: str | None) -> SNConv2D:
        return SNConv2D(
            self.filters,
            kernel_size,
            resampling=pool,
            fused=self.fused,
            spectral_norm=self.spectral_norm,
            name=name,
            dtype=self.dtype_policy,
        )

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        hidden_shape = (*x_shape[:-1], self.filters)
        self.norm_1 = None
        if self.preactivation:
            self.norm_1 = built_slot(self.norm, "norm_1", x_shape, classes_shape, self.dtype_policy)
        self.conv_1.build(x_shape)
        self.norm_2 = built_slot(self.norm, "norm_2", hidden_shape, classes_shape, self.dtype_policy)
        self.conv_2.build(hidden_shape)
        equal = x_shape[-1] == self.filters
        if equal and self.equal_channels_shortcut == "none":
            self.shortcut_kind = "none"
        elif equal and not self.downsample:
            self.shortcut_kind = "identity"
        else:
            self.shortcut_kind = "convolution"
            self.shortcut.build(x_shape)

    def call(self, x: Activations, classes: Classes = None, training: bool = False) -> Float[Tensor, "N H2 W2 O"]:
        # Figure 15c, the left branch from top to bottom.
        h = ops.relu(through(self.norm_1, x, classes, training)) if self.preactivation else x
        h = self.conv_1(h, training=training)
        h = ops.relu(through(self.norm_2, h, classes, training))
        h = self.conv_2(h, training=training)
        # The right branch.
        if self.shortcut_kind == "none":
            return h
        return h + (self.shortcut(x, training=training) if self.shortcut_kind == "convolution" else x)

    def compute_output_shape(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> Shape:
        return self.conv_2.compute_output_shape(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "downsample": self.downsample,
            "pooling": self.pooling,
            "preactivation": self.preactivation,
            "equal_channels_shortcut": self.equal_channels_shortcut,
            "fused": self.fused,
            "spectral_norm": self.spectral_norm.to_dict(),
            "norm": to_dict(self.norm),
        }


@keras.saving.register_keras_serializable("biggan_tf")
class DeepGeneratorBlock(keras.layers.Layer):
    """A bottleneck of BigGAN-deep's generator (figure 16b), which doubles the image if `upsampling` is given.

    Four convolutions, each after a conditional batch norm and a ReLU: 1x1 to a quarter of the input channels, 3x3 after
    the doubling, 3x3, and 1x1 to `filters`. To their result the first `filters` channels of x are added, doubled
    likewise, so `filters` must not exceed the channels of x.

    Args:
        filters: The number of output channels.
        upsampling: How to double the image, one of `ops.resampling.UPSAMPLINGS`; None keeps its size.
        fused: Whether the first 3x3 convolution runs at the lower resolution: the same values in less time.
        gain_base: What the batch norms add to their predicted gain: 1, the paper's, or 0 as in compare_gan.
        spectral_norm: A `SpectralNormOptions` for all kernels, or the dict of its fields that `get_config` returns;
            None takes its defaults.
        batch_norm: A `BatchNormOptions`, or the dict of its fields; None takes its defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> DeepGeneratorBlock(8, "nearest")(x, condition)  # [N, H, W, 16], [N, D] -> [N, 2H, 2W, 8]
    """

    def __init__(
        self,
        filters: int,
        upsampling: str | None = None,
        fused: bool = True,
        gain_base: float = 1.0,
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        batch_norm: BatchNormOptions | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.upsampling = upsampling
        self.fused = fused
        self.gain_base = gain_base
        self.spectral_norm = SpectralNormOptions.of(spectral_norm)
        self.batch_norm = BatchNormOptions.of(batch_norm)

    def build(self, x_shape: InputShape, condition_shape: InputShape | None = None) -> None:
        channels = num_channels(x_shape)
        if channels < self.filters:
            raise ValueError(
                "A deep generator block must not add channels, since its skip drops them. "
                f"Received: {channels} channels for filters={self.filters}"
            )
        hidden = max(channels // 4, 1)
        self.convolutions = [
            self._convolution(hidden, 1, "conv_1"),
            self._convolution(hidden, 3, "conv_2", self.upsampling),
            self._convolution(hidden, 3, "conv_3"),
            self._convolution(self.filters, 1, "conv_4"),
        ]
        self.norms = [self._norm(f"norm_{i + 1}") for i in range(4)]
        shape = tuple(x_shape)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            norm.build(shape, condition_shape)
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)

    def _norm(self, name: str) -> ConditionalBatchNorm:
        return ConditionalBatchNorm(
            self.gain_base, self.batch_norm, self.spectral_norm, name=name, dtype=self.dtype_policy
        )

    def _convolution(self, filters: int, kernel_size: int, name: str, upsampling: str | None = None) -> SNConv2D:
        return SNConv2D(
            filters,
            kernel_size,
            resampling=upsampling,
            fused=self.fused,
            spectral_norm=self.spectral_norm,
            name=name,
            dtype=self.dtype_policy,
        )

    def call(
        self,
        x: Activations,
        condition: NormInputs | None = None,
        training: bool = False,
        truncation: Truncation | None = None,
    ) -> Float[Tensor, "N H2 W2 O"]:
        # Figure 16b, the left branch from top to bottom.
        h = x
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            h = ops.relu(norm(h, condition, training=training, truncation=truncation))
            h = convolution(h, training=training)
        # The right branch drops channels and then doubles.
        skip = x[..., : self.filters]
        return h + (skip if self.upsampling is None else resampling.upsample(skip, self.upsampling))

    def compute_output_shape(self, x_shape: InputShape, condition_shape: InputShape | None = None) -> Shape:
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
            "gain_base": self.gain_base,
            "spectral_norm": self.spectral_norm.to_dict(),
            "batch_norm": self.batch_norm.to_dict(),
        }


@keras.saving.register_keras_serializable("biggan_tf")
class DeepDiscriminatorBlock(keras.layers.Layer):
    """A bottleneck of BigGAN-deep's discriminator (figure 16c), which halves the image if `downsample` is set.

    Four convolutions, each after a norm slot, which the paper leaves empty, and a ReLU: 1x1 to a quarter of `filters`,
    3x3, 3x3, and 1x1 to `filters` after the halving. To their result x is added, halved likewise; a 1x1 convolution of
    it supplies the channels that it lacks. The last convolution and this one already run on the small image, so nothing
    is left to fuse.

    Args:
        filters: The number of output channels, at least that of the input.
        downsample: Whether height and width are halved.
        spectral_norm: A `SpectralNormOptions` for all kernels, or the dict of its fields that `get_config` returns;
            None takes its defaults.
        norm: What the block's norm slots hold, the configuration of a norm or the dict that `to_dict` wrote of one;
            None, the default, leaves them empty. Whether kernels are divided, `spectral_norm` alone says.
        pooling: How height and width are halved: "mean", the paper's, by the mean of 2x2 pixels; or "filtered", by
            every second pixel of the image that was smoothed with a filter, see `ops.resampling.pool`.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> DeepDiscriminatorBlock(16)(keras.ops.ones((2, 8, 8, 8))).shape
        (2, 4, 4, 16)
    """

    def __init__(
        self,
        filters: int,
        downsample: bool = True,
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        norm: Norm = None,
        pooling: str = "mean",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        _check_pooling(pooling)
        self.downsample = downsample
        self.pooling = pooling
        self.spectral_norm = SpectralNormOptions.of(spectral_norm)
        self.norm = norm_of(norm)

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        channels = num_channels(x_shape)
        if channels > self.filters:
            raise ValueError(
                "A deep discriminator block must not drop channels, since its skip keeps them. "
                f"Received: {channels} channels for filters={self.filters}"
            )
        hidden = max(self.filters // 4, 1)
        self.convolutions = [
            self._convolution(hidden, 1, "conv_1"),
            self._convolution(hidden, 3, "conv_2"),
            self._convolution(hidden, 3, "conv_3"),
            self._convolution(self.filters, 1, "conv_4"),
        ]
        self.norms = []
        shape = tuple(x_shape)
        for number, convolution in enumerate(self.convolutions):
            norm = built_slot(self.norm, f"norm_{number + 1}", shape, classes_shape, self.dtype_policy)
            self.norms.append(norm)
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
        self.missing = None
        if self.filters > channels:
            self.missing = self._convolution(self.filters - channels, 1, "missing")
            self.missing.build(x_shape)

    def _convolution(self, filters: int, kernel_size: int, name: str) -> SNConv2D:
        return SNConv2D(filters, kernel_size, spectral_norm=self.spectral_norm, name=name, dtype=self.dtype_policy)

    def call(self, x: Activations, classes: Classes = None, training: bool = False) -> Float[Tensor, "N H2 W2 O"]:
        # Figure 16c, the left branch from top to bottom; both branches halve.
        h = x
        for norm, convolution in zip(self.norms[:3], self.convolutions[:3], strict=True):
            h = convolution(ops.relu(through(norm, h, classes, training)), training=training)
        h = ops.relu(through(self.norms[3], h, classes, training))
        if self.downsample:
            h, x = resampling.pool(h, self.pooling), resampling.pool(x, self.pooling)
        h = self.convolutions[3](h, training=training)
        # The right branch appends the channels that x lacks.
        if self.missing is not None:
            x = ops.concatenate([x, self.missing(x, training=training)], axis=-1)
        return h + x

    def compute_output_shape(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> Shape:
        batch, height, width, _ = x_shape
        if self.downsample:
            height, width = (None if size is None else size // 2 for size in (height, width))
        return (batch, height, width, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "downsample": self.downsample,
            "pooling": self.pooling,
            "spectral_norm": self.spectral_norm.to_dict(),
            "norm": to_dict(self.norm),
        }
