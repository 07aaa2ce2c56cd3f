"""The discriminator, which judges a large image by itself and by the small one that it is an image of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import discriminator as contract
from biggan_tf.contracts.discriminator import DiscriminatorInputs, Judgement
from biggan_tf.contracts.input_checks import check_images
from biggan_tf.families.super_resolution.config import SuperResolutionConfig
from biggan_tf.layers.equalised import EqualisedConv2D, EqualisedDense
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.ops.resizing import enlarged
from biggan_tf.types import Images, InputShape, Shape, SmallImages


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "SuperResolutionDiscriminator")
class Discriminator(contract.Discriminator):
    """Maps (images, small images) to a `Judgement`.

    It sees nine channels: the image y, the bicubic enlargement of the small image x, and their difference,

        D(y, x) = d([y, bicubic(x), y - bicubic(x)]),

    so that it need not learn to enlarge before it can tell whether y is an image of x. Then the image is halved down to
    4 pixels, and two dense layers judge what is left.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Example:
        >>> discriminator = Discriminator(SuperResolutionConfig(factor=4))
        >>> logits = discriminator((images, small)).logits
    """

    config: SuperResolutionConfig

    def __init__(self, config: SuperResolutionConfig | Mapping[str, object], **kwargs: Any):
        self.config = precision.network_config(SuperResolutionConfig, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.build(self.input_shapes)

    @property
    def input_shapes(self) -> Sequence[InputShape]:
        """The shapes of the images and of the small ones."""
        sizes = (self.config.resolution, self.config.small_size)
        return tuple((None, size, size, 3) for size in sizes)

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        divides = model.divides_kernels
        wide = accumulation_dtype(self.compute_dtype)
        shape: Shape = (None, model.resolution, model.resolution, 9)
        self.convolutions = []
        for number, level in enumerate(model.levels()):
            layer = EqualisedConv2D(
                level.channels,
                halve=number > 0,
                divides_kernel=divides,
                norm=model.discriminator_norm if number else None,
                name=f"level_{level.size}",
                dtype=self.dtype_policy,
            )
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
            self.convolutions.append(layer)
        channels = model.levels()[-1].channels
        self.dense = EqualisedDense(channels, "leaky_relu", divides_kernel=divides, name="dense", dtype=wide)
        self.dense.build((None, 16 * channels))
        self.last = EqualisedDense(1, divides_kernel=divides, name="last", dtype=wide)
        self.last.build((None, channels))
        self.built = True

    def checked(self, inputs: DiscriminatorInputs) -> tuple[Images, SmallImages]:
        """Takes the inputs of a call apart: (images, small images)."""
        if not isinstance(inputs, tuple | list) or len(inputs) != 2:
            raise ValueError(
                "The discriminator of images that were enlarged must be called with (images, small images). Received: "
                "images alone."
            )
        images, small = inputs
        check_images(images, self.config.resolution)
        check_images(small, self.config.small_size)
        return images, small

    def call(self, inputs: DiscriminatorInputs, training: bool = False) -> Judgement:
        """Answers (images, small images)."""
        images, small = self.checked(inputs)
        # The difference is taken wide: both numbers are near each other.
        images = widen(images)
        bicubic = ops.cast(enlarged(small, self.config.factor), images.dtype)
        x = ops.cast(ops.concatenate([images, bicubic, images - bicubic], axis=3), self.compute_dtype)
        for layer in self.convolutions:
            x = layer(x, training=training)
        features = self.dense(ops.reshape(widen(x), (-1, 16 * x.shape[3])), training=training)
        return Judgement(self.last(features, training=training)[:, 0], features, {})

    def export(self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **options: object) -> None:
        """Exports the network, see `keras.Model.export`; its inputs are images and small images."""
        inputs = tuple(
            keras.InputSpec(dtype="float32", shape=(None, size, size, 3))
            for size in (self.config.resolution, self.config.small_size)
        )
        super().export(filepath, format, **{"input_signature": [inputs], **options})

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
