"""BigGAN's and BigGAN-deep's projection discriminator."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf import precision
from biggan_tf.config import ModelConfig, from_dict, to_dict
from biggan_tf.layers.attention import SelfAttention
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.deep_discriminator_block import DeepDiscriminatorBlock
from biggan_tf.layers.discriminator_block import DiscriminatorBlock
from biggan_tf.layers.projection_head import ProjectionHead
from biggan_tf.networks.architecture import Stage, discriminator_stages
from biggan_tf.networks.conventions import conventions_of
from biggan_tf.networks.input_checks import check_images, check_labels
from biggan_tf.ops.precision import accumulation_dtype


@keras.saving.register_keras_serializable("biggan_tf")
class Discriminator(keras.Model):
    """Images and labels to logits: [N, R, R, 3] in [-1, 1], [N] -> [N].

    Logits are float32, or float64 under that policy.

    Parameters (tests/biggan_tf/networks): BigGAN-128 87,982,370; 256 99,225,890; 512 99,401,282; deep-128 34,590,210.

    Args:
        config: A `ModelConfig`, or the dict that `get_config` made of one.

    Example:
        >>> discriminator = Discriminator(ModelConfig(resolution=32, num_classes=10))
        >>> logits = discriminator((images, labels), training=False)
    """

    def __init__(self, config: ModelConfig | dict[str, Any], **kwargs: Any):
        model = config if isinstance(config, ModelConfig) else from_dict(ModelConfig, config)
        self.model_config = precision.resolved(model)
        kwargs.setdefault("dtype", self.model_config.policy)
        super().__init__(**kwargs)
        self.conventions = conventions_of(self.model_config)
        self.stages = discriminator_stages(self.model_config)
        self._normalised: dict[str, Any] = {
            "kernel_initializer": self.model_config.initializer,
            "epsilon": self.conventions.spectral_norm_epsilon,
            "additive_epsilon": self.conventions.additive_epsilon,
        }
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Builds all layers; the configuration tells every shape."""
        model = self.model_config
        shape: tuple[Any, ...] = (None, model.resolution, model.resolution, 3)
        self.stem = None
        if model.is_deep:
            first = self.stages[0].in_channels
            self.stem = SNConv2D(first, 3, name="stem", dtype=self.dtype_policy, **self._normalised)
            self.stem.build(shape)
            shape = self.stem.compute_output_shape(shape)
        self.blocks = []
        for index, stage in enumerate(self.stages):
            layers = self._stage(index, stage)
            for layer in layers:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)
            self.blocks.append(layers)
        wide = accumulation_dtype(self.compute_dtype)
        self.head = ProjectionHead(model.num_classes, normalised=self._normalised, name="head", dtype=wide)
        self.head.build(shape)
        self.built = True

    def _stage(self, index: int, stage: Stage) -> list[Any]:
        """The layers of a stage: one block, or two in the deep network, then attention if there is any."""
        options: dict[str, Any] = {"convolution": self._normalised, "dtype": self.dtype_policy}
        name = f"stage_{index + 1}"
        if self.model_config.is_deep:
            layers: list[Any] = [
                DeepDiscriminatorBlock(stage.out_channels, stage.resample, name=f"{name}_block_1", **options),
                DeepDiscriminatorBlock(stage.out_channels, False, name=f"{name}_block_2", **options),
            ]
        else:
            layers = [
                DiscriminatorBlock(
                    stage.out_channels,
                    stage.resample,
                    preactivation=index > 0,
                    equal_channels_shortcut=self.conventions.equal_channels_shortcut,
                    fused=self.model_config.fused_resampling,
                    name=f"{name}_block",
                    **options,
                )
            ]
        if stage.attention:
            layers.append(SelfAttention(name=f"{name}_attention", **options))
        return layers

    def call(self, inputs: Any, training: bool = False) -> Any:
        images, labels = self._unpack(inputs)
        x = ops.cast(images, self.compute_dtype)
        if self.stem is not None:
            x = self.stem(x, training=training)
        for layers in self.blocks:
            for layer in layers:
                x = layer(x, training=training)
        return self.head(x, labels, training=training)

    def _unpack(self, inputs: Any) -> tuple[Any, Any]:
        images, labels = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        check_images(images, self.model_config.resolution)
        if not self.model_config.num_classes:
            return images, None
        if labels is None:
            raise ValueError(
                "A conditional discriminator must be called with (images, labels). Received: images alone."
            )
        check_labels(labels, self.model_config.num_classes)
        return images, labels

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        batch = input_shape[0][0] if isinstance(input_shape[0], tuple | list) else input_shape[0]
        return (batch,)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.model_config)}
