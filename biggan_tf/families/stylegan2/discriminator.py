"""StyleGAN2's discriminator (Karras et al. 2020, arXiv:1912.04958, figure 7 (c))."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import discriminator as contract
from biggan_tf.contracts.discriminator import DiscriminatorInputs, Judgement
from biggan_tf.contracts.input_checks import class_weights
from biggan_tf.families.stylegan2.blocks import HalvingBlock
from biggan_tf.families.stylegan2.config import StyleConfig, StyleGAN2Config
from biggan_tf.families.stylegan2.mapping import Mapping, normalised_inputs
from biggan_tf.layers.equalised import EqualisedConv2D, EqualisedDense
from biggan_tf.layers.minibatch_deviation import MinibatchDeviation
from biggan_tf.layers.singular_values import singular_values
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.types import InputShape, Scalar, Shape, Tensor


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "StyleGAN2Discriminator")
class Discriminator(contract.Discriminator):
    """Maps images and labels to a `Judgement`, whose features are the input of the last linear layer.

    With classes the last layer gives a vector, and the logit is its product with a vector of the class, which a mapping
    network computes (projection, arXiv:1802.05637).

    Parameters (stylegan2_test.py counts them): 29,012,513 at 1024 pixels, 28,864,129 at 256, both without classes.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Example:
        >>> discriminator = Discriminator(StyleGAN2Config(resolution=32))
        >>> logits = discriminator(images).logits
    """

    config: StyleConfig
    config_type: ClassVar[type[StyleConfig]] = StyleGAN2Config

    def __init__(self, config: StyleConfig | dict[str, Any], **kwargs: Any):
        self.config = precision.network_config(self.config_type, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.build(self.input_shapes)

    @property
    def compares_rows(self) -> bool:
        """As the configuration says."""
        return self.config.deviation_channels > 0

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        divides = model.divides_kernels
        options: dict[str, Any] = {"clamp": model.clamp, "divides_kernel": divides, "dtype": self.dtype_policy}
        wide = accumulation_dtype(self.compute_dtype)
        sizes = model.levels[::-1]
        shape: Shape = (None, model.resolution, model.resolution, 3)
        self.from_rgb = EqualisedConv2D(model.channels(model.resolution), 1, name="from_rgb", **options)
        self.from_rgb.build(shape)
        shape = self.from_rgb.compute_output_shape(shape)
        residual = model.discriminator_architecture == "residual"
        classes_shape = (None, model.num_classes) if model.discriminator_norm.needs_classes else None
        self.blocks = []
        for size in sizes[:-1]:
            block = HalvingBlock(
                model.channels(size // 2),
                residual,
                model.clamp,
                model.discriminator_norm,
                name=f"level_{size}",
                dtype=self.dtype_policy,
            )
            block.build(shape, classes_shape)
            shape = block.compute_output_shape(shape)
            self.blocks.append(block)
        self.deviation = None
        if model.deviation_channels:
            self.deviation = MinibatchDeviation(
                model.deviation_group, model.deviation_channels, name="minibatch_deviation", dtype=self.dtype_policy
            )
            self.deviation.build(shape)
            shape = self.deviation.compute_output_shape(shape)
        channels = model.channels(4)
        self.last_conv = EqualisedConv2D(channels, 3, name="last_conv", **options)
        self.last_conv.build(shape)
        self.dense = EqualisedDense(channels, "leaky_relu", name="dense", dtype=wide, divides_kernel=divides)
        self.dense.build((None, 16 * channels))
        self.class_dim = (model.class_dim or channels) if model.own_classes else 1
        self.last_dense = EqualisedDense(self.class_dim, name="last_dense", dtype=wide, divides_kernel=divides)
        self.last_dense.build((None, channels))
        if model.own_classes:
            self.class_embedding = EqualisedDense(
                self.class_dim, name="class_embedding", dtype=wide, divides_kernel=divides
            )
            self.class_embedding.build((None, model.num_classes))
            self.mapping = Mapping(
                self.class_dim,
                model.discriminator_mapping_layers,
                divides_kernels=model.divides_kernels,
                name="mapping",
                dtype=wide,
            )
            self.mapping.build((None, self.class_dim))

        def linear(units: int, use_bias: bool, name: str) -> keras.layers.Layer:
            return EqualisedDense(units, use_bias=use_bias, name=name, dtype=wide, divides_kernel=divides)

        self.build_condition(channels, channels, linear, wide)
        self.built = True

    def call(self, inputs: DiscriminatorInputs, training: bool = False, batches: Sequence[int] = ()) -> Judgement:
        """Answers images, or (images, labels) with classes; `batches` as in `compares_rows`."""
        images, labels = self.checked(inputs)
        classes = None
        if labels is not None and self.config.discriminator_norm.needs_classes:
            classes = class_weights(labels, self.config.num_classes, accumulation_dtype(self.compute_dtype))
        x = self.from_rgb(ops.cast(images, self.compute_dtype), training=training)
        for block in self.blocks:
            x = block(x, classes, training=training)
        feature_map = x
        if self.deviation is not None:
            x = self.deviation(x, batches=batches)
        x = widen(self.last_conv(x, training=training))
        features = self.dense(ops.reshape(x, (-1, 16 * self.config.channels(4))), training=training)
        out = self.last_dense(features, training=training)
        heads = self.condition_heads(features, feature_map, labels, training)
        if labels is None or not self.config.own_classes:
            return Judgement(out[:, 0], features, heads)
        # logit = <D(x), map(c)> / sqrt(class_dim)
        logits = ops.sum(out * self.map(labels, training), axis=1) / math.sqrt(self.class_dim)
        return Judgement(logits, features, heads)

    def map(self, labels: Tensor, training: bool = False) -> Tensor:
        """The vector of each row's class, with which the last layer is multiplied.

        Args:
            labels: The class of each row, or a row of weights for the classes of each.
            training: Whether variables that a call in training moves are moved.
        """
        weights = class_weights(labels, self.config.num_classes, self.class_embedding.compute_dtype)
        embedding = self.class_embedding(weights, training=training)
        return self.mapping(normalised_inputs(None, embedding), training=training)

    def kernels_left_alone(self) -> list[keras.Variable]:
        """The class embedding, and what the contract names."""
        own = [self.class_embedding.kernel] if self.config.own_classes else []
        return [*super().kernels_left_alone(), *own]

    def health(self) -> dict[str, Scalar]:
        """The largest singular value of each kernel where the configuration's norm divides kernels; else none."""
        return singular_values(self)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
