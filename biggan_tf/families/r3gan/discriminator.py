"""R3GAN's discriminator (Huang et al. 2024, arXiv:2501.05441, section 3), which mirrors the generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import discriminator as contract
from biggan_tf.contracts.discriminator import DiscriminatorInputs, Judgement
from biggan_tf.contracts.input_checks import class_weights
from biggan_tf.families.r3gan.blocks import (
    Bottleneck,
    PlainConvolution,
    PlainLinear,
    Transition,
    block_gain,
    scaled_normal,
)
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.layers.singular_values import singular_values
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.types import InputShape, Scalar, Shape, Tensor


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "R3GANDiscriminator")
class Discriminator(contract.Discriminator):
    """Maps images and labels to a `Judgement`, whose features are the input of the last linear layer.

    With classes the last layer gives a vector, and the logit is its product with the embedding of the class
    (projection, arXiv:1802.05637).

    Parameters (networks_test.py counts them): 21,280,512 for CIFAR-10 with classes, 107,205,120 for ImageNet at 64.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Example:
        >>> discriminator = Discriminator(R3GANConfig(num_classes=10))
        >>> logits = discriminator((images, labels)).logits
    """

    config: R3GANConfig

    def __init__(self, config: R3GANConfig | Mapping[str, object], **kwargs: Any):
        self.config = precision.network_config(R3GANConfig, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.build(self.input_shapes)

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        wide = accumulation_dtype(self.compute_dtype)
        gain = block_gain(sum(model.blocks))
        divides = model.divides_kernels
        classes_shape = (None, model.num_classes) if model.discriminator_norm.needs_classes else None
        shape: Shape = (None, model.resolution, model.resolution, 3)
        self.from_rgb = PlainConvolution(
            model.widths[-1], 1, name="from_rgb", dtype=self.dtype_policy, divides_kernel=divides
        )
        self.from_rgb.build(shape)
        shape = self.from_rgb.compute_output_shape(shape)
        self.stages: list[tuple[list[Bottleneck], Transition | None]] = []
        for number in reversed(range(len(model.widths))):
            dtype = wide if number < model.wide_stages else self.dtype_policy
            size = 4 * 2**number
            blocks = []
            for index in range(model.blocks[number]):
                groups, name = model.cardinalities[number], f"block_{size}_{index}"
                block = Bottleneck(model.expansion, groups, gain, model.discriminator_norm, name=name, dtype=dtype)
                block.build(shape, classes_shape)
                blocks.append(block)
            transition = None
            if number:
                transition = Transition(
                    model.widths[number - 1],
                    double=False,
                    name=f"halving_to_{size // 2}",
                    dtype=dtype,
                    divides_kernel=divides,
                )
                transition.build(shape)
                shape = transition.compute_output_shape(shape)
            self.stages.append((blocks, transition))
            layers: list[keras.layers.Layer] = [*blocks] if transition is None else [*blocks, transition]
            for layer in layers:
                setattr(self, layer.name, layer)  # A tuple in a list is not searched for layers.
        channels = model.widths[0]
        self.basis = self.add_weight(
            name="basis", shape=(4, 4, channels), initializer=scaled_normal(1.0, 16), dtype=wide, autocast=False
        )
        self.dense = PlainLinear(model.judged_values, name="dense", dtype=wide, divides_kernel=divides)
        self.dense.build((None, channels))
        self.class_embedding = None
        if model.own_classes:
            self.class_embedding = PlainLinear(
                model.judged_values, gain=None, name="class_embedding", dtype=wide, divides_kernel=divides
            )
            self.class_embedding.build((None, model.num_classes))

        def linear(units: int, use_bias: bool, name: str) -> keras.layers.Layer:
            # Only activations of this network have biases.
            return PlainLinear(units, name=name, dtype=wide, divides_kernel=divides)

        self.build_condition(channels, channels, linear, wide)
        self.built = True

    def call(self, inputs: DiscriminatorInputs, training: bool = False) -> Judgement:
        """Answers images, or (images, labels) with classes."""
        images, labels = self.checked(inputs)
        weights = None
        if labels is not None:
            weights = class_weights(labels, self.config.num_classes, accumulation_dtype(self.compute_dtype))
        classes = weights if self.config.discriminator_norm.needs_classes else None
        x = self.from_rgb(ops.cast(images, self.compute_dtype), training=training)
        for blocks, transition in self.stages:
            for block in blocks:
                x = block(x, classes, training=training)
            if transition is not None:
                x = transition(x, training=training)
        # A 4x4 convolution of each channel by itself, which leaves one number a channel.
        features = ops.sum(widen(x) * self._used_basis(), axis=(1, 2))
        record("convolution", features.shape, 16)
        out = self.dense(features, training=training)
        heads = self.condition_heads(features, x, labels, training)
        if weights is None or self.class_embedding is None:
            return Judgement(out[:, 0], features, heads)
        # logit = <D(x), e(c)>
        embedding = self.class_embedding(weights, training=training)
        return Judgement(ops.sum(out * embedding, axis=1), features, heads)

    def _used_basis(self) -> Float[Tensor, "4 4 C"]:
        """The kernel of the last convolution, which spectral norm divides as it does the others.

        The kernel maps each channel's 4x4 pixels to one number, so its singular values are the channels' lengths.
        """
        basis = ops.convert_to_tensor(self.basis)
        if not self.config.divides_kernels:
            return basis
        return basis / self._largest_of_basis()

    def _largest_of_basis(self) -> Scalar:
        return ops.sqrt(ops.max(ops.sum(ops.square(ops.convert_to_tensor(self.basis)), axis=(0, 1))))

    def kernels_left_alone(self) -> list[keras.Variable]:
        """The class embedding, and what the contract names."""
        own = [] if self.class_embedding is None else [self.class_embedding.kernel]
        return [*super().kernels_left_alone(), *own]

    def health(self) -> dict[str, Scalar]:
        """The largest singular value of each kernel where the configuration's norm divides kernels; else none."""
        of_basis = {"sigma/basis": self._largest_of_basis()} if self.config.divides_kernels else {}
        return {**singular_values(self), **of_basis}

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
