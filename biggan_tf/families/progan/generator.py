"""The progressively growing generator (Karras et al. 2018, arXiv:1710.10196, table 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import generator as contract
from biggan_tf.contracts.input_checks import class_weights
from biggan_tf.families.progan.blocks import GrownConvolution, LatentToPixels, level_of_detail
from biggan_tf.families.progan.config import ProGANConfig
from biggan_tf.layers.equalised import EqualisedConv2D
from biggan_tf.ops.activations import normalise_second_moment
from biggan_tf.ops.fading import fade
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.ops.resampling import upsample
from biggan_tf.types import Activations, Embeddings, Images, InputShape, Latents, RowKeys, Tensor, Truncation


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "ProGANGenerator")
class Generator(contract.Generator):
    """Maps latents [N, z_dim] and one-hot classes to images [N, R, R, 3], whose last activation is linear.

    While the networks grow, a call in training gives images of `training_size` pixels, and computes nothing of the
    levels above. Any other call gives images of the full resolution, those of the grown levels being doubled.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Attributes:
        lod: The level of detail, see `contracts.growing.GrowingNetwork`; 0, the networks are grown, at first.
        training_size: The height and width of the images of a call in training; the full resolution at first.

    Example:
        >>> generator = Generator(ProGANConfig(resolution=32))
        >>> images = generator(z)
    """

    config: ProGANConfig

    def __init__(self, config: ProGANConfig | Mapping[str, object], **kwargs: Any):
        self.config = precision.network_config(ProGANConfig, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.training_size = self.config.resolution
        self.build(self.input_shapes)

    @property
    def embedding_dim(self) -> int:
        return self.config.num_classes

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        self.lod = level_of_detail(self)
        self.blocks: list[list[keras.layers.Layer]] = []
        self.to_rgb: list[EqualisedConv2D] = []
        shape: tuple[int | None, ...] = (None, model.z_dim + self.embedding_dim)
        for size in model.levels:
            channels = model.channels(size)
            first: keras.layers.Layer = (
                LatentToPixels(channels, name="level_4_dense", dtype=self.dtype_policy)
                if size == 4
                else GrownConvolution(
                    channels,
                    resampling="double",
                    normalise=True,
                    name=f"level_{size}_conv_0",
                    dtype=self.dtype_policy,
                )
            )
            second = GrownConvolution(channels, normalise=True, name=f"level_{size}_conv_1", dtype=self.dtype_policy)
            block = [first, second]
            for layer in block:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)
            self.blocks.append(block)
            to_rgb = EqualisedConv2D(3, 1, activation="linear", name=f"level_{size}_to_rgb", dtype=self.dtype_policy)
            to_rgb.build(shape)
            self.to_rgb.append(to_rgb)
        self.built = True

    def embed(self, labels: Tensor) -> Embeddings:
        """The one-hot classes.

        Args:
            labels: The class of each row, or a row of weights for the classes of each.
        """
        if not self.config.num_classes:
            return super().embed(labels)
        return class_weights(labels, self.config.num_classes, accumulation_dtype(self.compute_dtype))

    def styles(
        self,
        z: Latents,
        embedding: Embeddings | None = None,
        truncation: Truncation | None = None,
        training: bool = False,
    ) -> tuple[Tensor]:
        """The latent and the class of each row next to each other, normalised; truncation changes nothing further."""
        wide = accumulation_dtype(self.compute_dtype)
        inputs = [ops.cast(each, wide) for each in (self.with_codes(z), embedding) if each is not None]
        return (normalise_second_moment(ops.concatenate(inputs, axis=1)),)

    def synthesise(self, styles: tuple[Tensor], keys: RowKeys | None = None, training: bool = False) -> Images:
        """Computes images: level by level, each of which fades its RGB into the doubled image of the level before.

        Args:
            styles: What `styles` returned.
            keys: Have no influence.
            training: Whether the images have `training_size` pixels, or the full resolution.
        """
        size = self.training_size if training else self.config.resolution
        x = self._activations(0, ops.cast(styles[0], self.compute_dtype))
        image = widen(self.to_rgb[0](x))
        for number, level in enumerate(self.config.levels[1:], start=1):
            if level > size:
                break
            x = self._activations(number, x)
            # image = rgb + (up(image before) - rgb) clip(lod - lod of this level, 0, 1)
            image = fade(widen(self.to_rgb[number](x)), upsample(image), self.lod - self.config.lod_of(level))
        return image

    def _activations(self, number: int, x: Tensor) -> Activations:
        """What a level computes of the one before."""
        for layer in self.blocks[number]:
            x = layer(x)
        return x

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
