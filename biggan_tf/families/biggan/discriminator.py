"""The discriminators of BigGAN and BigGAN-deep (Brock et al. 2018, arXiv:1809.11096, appendix B).

Both end in a projection head (Miyato and Koyama 2018, arXiv:1802.05637), unless `model.condition` is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import discriminator as contract
from biggan_tf.contracts.discriminator import DiscriminatorInputs, Judgement
from biggan_tf.contracts.input_checks import class_weights
from biggan_tf.families.biggan.blocks import DeepDiscriminatorBlock, DiscriminatorBlock
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.tables import Level, discriminator_levels
from biggan_tf.families.biggan.variants import variant_of
from biggan_tf.layers.attention import SelfAttention
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.dense import SNDense
from biggan_tf.layers.projection_head import ProjectionHead
from biggan_tf.layers.singular_values import singular_values
from biggan_tf.ops.channels import num_channels
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import InputShape, Scalar, Shape

_BLOCKS = (DeepDiscriminatorBlock, DiscriminatorBlock)


@keras.saving.register_keras_serializable("biggan_tf")
class Discriminator(contract.Discriminator):
    """Maps images in [-1, 1] and labels to a `Judgement`, whose features are the input of the last linear layer.

    Logits are float32, or float64 under that dtype policy.

    Parameters (cost_test.py counts them): BigGAN-128 87,982,370; 256 99,225,890; 512 99,401,282; deep-128 34,590,210.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Example:
        >>> discriminator = Discriminator(BigGANConfig(resolution=32, num_classes=10))
        >>> logits = discriminator((images, labels), training=False).logits
    """

    config: BigGANConfig

    def __init__(self, config: BigGANConfig | Mapping[str, object], **kwargs: Any):
        self.config = precision.network_config(BigGANConfig, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.variant = variant_of(self.config)
        self.levels = discriminator_levels(self.config)
        self._spectral_norm = self.variant.spectral_norm_options(self.config, self.config.divides_kernels)
        self.build(self.input_shapes)

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        shape: Shape = (None, model.resolution, model.resolution, 3)
        self.stem = None
        if model.is_deep:
            first = self.levels[0].in_channels
            self.stem = SNConv2D(first, 3, spectral_norm=self._spectral_norm, name="stem", dtype=self.dtype_policy)
            self.stem.build(shape)
            shape = self.stem.compute_output_shape(shape)
        classes_shape = (None, model.num_classes) if model.discriminator_norm.needs_classes else None
        self.blocks = []
        for index, level in enumerate(self.levels):
            layers = self._level(index, level)
            map_shape = shape
            for layer in layers:
                if isinstance(layer, _BLOCKS):
                    layer.build(shape, classes_shape)
                else:
                    layer.build(shape)
                shape = layer.compute_output_shape(shape)
            self.blocks.append(layers)
        wide = accumulation_dtype(self.compute_dtype)
        self.head = ProjectionHead(model.own_classes, self._spectral_norm, name="head", dtype=wide)
        self.head.build(shape)

        def linear(units: int, use_bias: bool, name: str) -> keras.layers.Layer:
            return SNDense(units, use_bias, self._spectral_norm, name=name, dtype=wide)

        self.build_condition(num_channels(shape), num_channels(map_shape), linear, wide)
        self.built = True

    def _level(self, index: int, level: Level) -> list[keras.layers.Layer]:
        """The layers of a level: one block, or two in the deep discriminator, and then self-attention if it has any."""
        options: dict[str, Any] = {"spectral_norm": self._spectral_norm, "dtype": self.dtype_policy}
        norm = self.config.discriminator_norm
        pooling = "filtered" if self.config.resampling == "filtered" else "mean"
        name = f"stage_{index + 1}"
        if self.config.is_deep:
            layers: list[keras.layers.Layer] = [
                DeepDiscriminatorBlock(
                    level.out_channels, level.resample, norm=norm, pooling=pooling, name=f"{name}_block_1", **options
                ),
                DeepDiscriminatorBlock(level.out_channels, False, norm=norm, name=f"{name}_block_2", **options),
            ]
        else:
            layers = [
                DiscriminatorBlock(
                    level.out_channels,
                    level.resample,
                    preactivation=index > 0,
                    equal_channels_shortcut=self.variant.equal_channels_shortcut,
                    fused=self.config.fused_resampling,
                    norm=norm,
                    pooling=pooling,
                    name=f"{name}_block",
                    **options,
                )
            ]
        if level.attention:
            layers.append(SelfAttention(name=f"{name}_attention", **options))
        return layers

    def call(self, inputs: DiscriminatorInputs, training: bool = False) -> Judgement:
        """Answers images, or (images, labels) with classes: the levels, and then the head (tables 4 to 9)."""
        images, labels = self.checked(inputs)
        classes = None
        if labels is not None and self.config.discriminator_norm.needs_classes:
            classes = class_weights(labels, self.config.num_classes, self.head.compute_dtype)
        x = ops.cast(images, self.compute_dtype)
        if self.stem is not None:
            x = self.stem(x, training=training)
        for layers in self.blocks:
            feature_map = x
            for layer in layers:
                if isinstance(layer, _BLOCKS):
                    x = layer(x, classes, training=training)
                else:
                    x = layer(x, training=training)
        features = self.head.features(x)
        heads = self.condition_heads(features, feature_map, labels, training)
        return Judgement(self.head.logits(features, labels, training), features, heads)

    def health(self) -> dict[str, Scalar]:
        """The largest singular value of each kernel (arXiv:1809.11096, section 4.2)."""
        return singular_values(self)

    def kernels_left_alone(self) -> list[keras.Variable]:
        """The class embedding, whose rows and not whose columns are its outputs, and what the contract names."""
        own = [self.head.embedding.kernel] if self.config.own_classes else []
        return [*super().kernels_left_alone(), *own]

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
