"""The progressively growing discriminator (Karras et al. 2018, arXiv:1710.10196, table 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import discriminator as contract
from biggan_tf.contracts.discriminator import CLASSES, DiscriminatorInputs, Judgement
from biggan_tf.contracts.input_checks import check_images, class_weights
from biggan_tf.families.progan.blocks import GrownConvolution, HiddenDense, level_of_detail
from biggan_tf.families.progan.config import ProGANConfig
from biggan_tf.layers.equalised import EqualisedDense
from biggan_tf.layers.minibatch_deviation import MinibatchDeviation
from biggan_tf.layers.norm_slots import Classes
from biggan_tf.layers.singular_values import singular_values
from biggan_tf.ops.fading import fade
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.ops.resampling import average_pool
from biggan_tf.types import Images, InputShape, Scalar, Tensor


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "ProGANDiscriminator")
class Discriminator(contract.Discriminator):
    """Maps images to a `Judgement`, whose head "classes" has the logits of an auxiliary classifier.

    With a condition that tells the classes in another way that head is left out.

    Images of a lower resolution enter at the level of that resolution, so that nothing of the levels above is computed.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Attributes:
        lod: The level of detail, see `contracts.growing.GrowingNetwork`; 0, the networks are grown, at first.
        training_size: The height and width of the images of a call in training; the full resolution at first.

    Example:
        >>> discriminator = Discriminator(ProGANConfig(resolution=32))
        >>> logits = discriminator(images).logits
    """

    config: ProGANConfig

    def __init__(self, config: ProGANConfig | Mapping[str, object], **kwargs: Any):
        self.config = precision.network_config(ProGANConfig, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.training_size = self.config.resolution
        self.build(self.input_shapes)

    @property
    def compares_rows(self) -> bool:
        """As the configuration says."""
        return self.config.deviation_group > 1

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        wide = accumulation_dtype(self.compute_dtype)
        divides = model.divides_kernels
        self.lod = level_of_detail(self)
        # From the coarsest level on: entry i of `from_rgb` and i - 1 of `blocks` are those of 4 * 2^i pixels.
        self.from_rgb: list[GrownConvolution] = []
        self.blocks: list[tuple[GrownConvolution, GrownConvolution]] = []
        for size in model.levels:
            channels = model.channels(size)
            from_rgb = GrownConvolution(
                channels, 1, name=f"level_{size}_from_rgb", dtype=self.dtype_policy, divides_kernel=divides
            )
            from_rgb.build((None, size, size, 3))
            self.from_rgb.append(from_rgb)
            if size > 4:
                self.blocks.append(self._block(size))
        self.deviation = None
        channels = model.channels(4)
        if model.deviation_group > 1:
            self.deviation = MinibatchDeviation(
                model.deviation_group, name="minibatch_deviation", dtype=self.dtype_policy
            )
            self.deviation.build((None, 4, 4, channels))
        self.last_conv = GrownConvolution(channels, name="last_conv", dtype=self.dtype_policy, divides_kernel=divides)
        self.last_conv.build((None, 4, 4, channels + (self.deviation is not None)))
        self.dense = HiddenDense(model.hidden_units, name="dense", dtype=wide, divides_kernel=divides)
        self.dense.build((None, 16 * channels))
        self.last_dense = EqualisedDense(1 + model.own_classes, name="last_dense", dtype=wide, divides_kernel=divides)
        self.last_dense.build((None, model.hidden_units))

        def linear(units: int, use_bias: bool, name: str) -> keras.layers.Layer:
            return EqualisedDense(units, use_bias=use_bias, name=name, dtype=wide, divides_kernel=divides)

        self.build_condition(model.hidden_units, model.channels(4), linear, wide)
        self.built = True

    def _block(self, size: int) -> tuple[GrownConvolution, GrownConvolution]:
        """The two convolutions of a level, the second of which halves the image."""
        model = self.config
        block = (
            GrownConvolution(
                model.channels(size),
                divides_kernel=model.divides_kernels,
                norm=model.discriminator_norm,
                name=f"level_{size}_conv_0",
                dtype=self.dtype_policy,
            ),
            GrownConvolution(
                model.channels(size // 2),
                resampling="halve",
                averages_before_activation=model.averages_before_activation,
                divides_kernel=model.divides_kernels,
                norm=model.discriminator_norm,
                name=f"level_{size}_conv_1",
                dtype=self.dtype_policy,
            ),
        )
        classes_shape = (None, model.num_classes) if model.discriminator_norm.needs_classes else None
        for layer in block:
            layer.build((None, size, size, model.channels(size)), classes_shape)
        return block

    def checked(self, inputs: DiscriminatorInputs) -> tuple[Images, Tensor | None]:
        """Takes images of any level.

        Labels may be missing. Where they are given they are checked. The logits depend on them only if
        `discriminator_norm.needs_classes`; the heads of a condition may.
        """
        images, labels = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        check_images(images, None)
        shape = tuple(images.shape)
        if shape[1] != shape[2] or shape[1] not in (None, *self.config.levels):
            raise ValueError(
                "images must be NHWC of shape (N, H, H, 3), where H is one of "
                f"{', '.join(map(str, self.config.levels))}. Received: shape {shape}"
            )
        if labels is None or not self.config.num_classes:
            return images, None
        return images, self.checked_labels(labels)

    def call(self, inputs: DiscriminatorInputs, training: bool = False, batches: Sequence[int] = ()) -> Judgement:
        """Answers images, or (images, labels); `batches` as in `compares_rows`."""
        images, labels = self.checked(inputs)
        classes = self._classes(labels)
        level = self.config.levels.index(images.shape[1] or self.config.resolution)
        images = widen(images)
        x = self.from_rgb[level](ops.cast(images, self.compute_dtype), training=training)
        for number in range(level, 0, -1):
            conv_0, conv_1 = self.blocks[number - 1]
            x = conv_1(conv_0(x, classes, training=training), classes, training=training)
            images = average_pool(images)
            coarser = self.from_rgb[number - 1](ops.cast(images, self.compute_dtype), training=training)
            # x = x + (fromRGB(averaged image) - x) clip(lod - lod of this level, 0, 1)
            x = fade(x, coarser, self.lod - self.config.lod_of(self.config.levels[number]))
        feature_map = x
        if self.deviation is not None:
            x = self.deviation(x, batches=batches)
        x = widen(self.last_conv(x, training=training))
        features = self.dense(ops.reshape(x, (-1, 16 * self.config.channels(4))), training=training)
        answers = self.last_dense(features, training=training)
        heads = self.condition_heads(features, feature_map, labels, training)
        if self.config.own_classes:
            heads[CLASSES] = answers[:, 1:]
        return Judgement(answers[:, 0], features, heads)

    def _classes(self, labels: Tensor | None) -> Classes:
        """The classes as the norm slots take them; None where none looks at them."""
        model = self.config
        if not model.discriminator_norm.needs_classes:
            return None
        if labels is None:
            raise ValueError(
                f"A discriminator with {model.discriminator_norm.kind} norm must be called with (images, labels). "
                "Received: images alone."
            )
        return class_weights(labels, model.num_classes, accumulation_dtype(self.compute_dtype))

    def health(self) -> dict[str, Scalar]:
        """The largest singular value of each kernel where the configuration's norm divides kernels; else none."""
        return singular_values(self)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
