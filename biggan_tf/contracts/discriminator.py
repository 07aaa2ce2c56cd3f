"""The interface of every family's discriminator, and of its answers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import keras
from keras import ops

from biggan_tf.config.parts import FamilyConfig
from biggan_tf.contracts.input_checks import are_weights, check_images, check_labels, class_weights, is_traced
from biggan_tf.types import (
    Activations,
    ClassWeights,
    DType,
    Features,
    Images,
    InputShape,
    Labels,
    Logits,
    Scalar,
    Shape,
    Tensor,
)

# Creates a linear layer as the family makes its own, from (units, use_bias, name). A family without biases ignores
# `use_bias`.
LinearLayer: TypeAlias = Callable[[int, bool, str], keras.layers.Layer]
# What a discriminator is called with: images, or images and labels where there are classes.
DiscriminatorInputs: TypeAlias = Tensor | tuple[Tensor, Tensor] | list[Tensor]
CLASSES = "classes"  # the head of a judgement that holds the logits of a family's own auxiliary classifier


class Judgement(NamedTuple):
    """A discriminator's answer to a batch.

    Attributes:
        logits: One number for each image, the higher the more real the image looks to the discriminator.
        features: The activations from which the logits are computed; games and metrics may compare images by them.
        heads: Further answers by name, such as the logits of an auxiliary classifier; empty if there are none.
    """

    logits: Logits
    features: Features
    heads: dict[str, Tensor]


@runtime_checkable
class HeadWithClassTable(Protocol):
    """A head of a condition that has a table with a row for each class."""

    def kernels_left_alone(self) -> list[keras.Variable]:
        """The table, which `Discriminator.kernels_left_alone` lists too, since its outputs are its rows."""
        ...


class Discriminator(keras.Model):
    """Maps images in [-1, 1], and their labels where there are classes, to a `Judgement`.

    A family implements `call`. One that carries the heads of conditions calls `build_condition` where it builds its
    layers and gives its judgements the heads of `condition_heads`.

    Attributes:
        config: The configuration of both networks. Code outside of the family may read nothing else of a network.
        condition_head: The layer with the heads of the condition; None: it needs none, or the family carries none.
    """

    config: FamilyConfig
    condition_head: keras.layers.Layer | None = None

    @property
    def couples_rows(self) -> bool:
        """Whether a row's answer depends on the other rows of its call; then real images and fakes are kept apart.

        It does if the norm of the discriminator's activations does, or if the discriminator compares rows.
        """
        return self.config.discriminator_norm.couples_rows or self.compares_rows

    @property
    def compares_rows(self) -> bool:
        """Whether it has a minibatch standard deviation, which makes a row's answer depend on the other rows.

        The `call` of such a discriminator takes `batches`: how many rows each of several batches has, in a tuple.
        """
        return False

    @property
    def keeps_batches_apart(self) -> bool:
        """Whether rows that are coupled are so within each of the `batches` of a call alone.

        One call, with larger products, then does the work of several. No norm does that.
        """
        return self.compares_rows and not self.config.discriminator_norm.couples_rows

    @property
    def input_shapes(self) -> InputShape | Sequence[InputShape]:
        """The shape of the images, or the shapes of images and labels, without which Keras's summary shows no shape."""
        images = (None, self.config.resolution, self.config.resolution, 3)
        return (images, (None,)) if self.config.num_classes else images

    @property
    def output_shape(self) -> Shape:
        """The shape of the logits, which Keras's summary shows."""
        return (None,)

    def call(self, inputs: DiscriminatorInputs, training: bool = False) -> Judgement:
        """Answers a batch.

        Args:
            inputs: The images, or (images, labels) if there are classes. A row of weights for the classes may stand
                for each label.
            training: Whether variables that a call in training moves, such as spectral norm's u, are moved; they are
                not by default.
        """
        raise NotImplementedError(f"{type(self).__name__} must define call.")

    def build_condition(self, width: int, map_channels: int, linear: LinearLayer, dtype: DType) -> None:
        """Creates the heads that the configuration's condition needs.

        Args:
            width: How many values the features of an image are.
            map_channels: How many channels the feature map has that `condition_heads` is given.
            linear: Creates their linear layers, so that they are normalised as the family's own are.
            dtype: The dtype of the features and of these layers.
        """
        condition = self.config.condition.build()
        head = None if condition is None else condition.head(self.config.num_classes, linear, dtype)
        if head is not None:
            head.build((None, width), (None, None, None, map_channels))
        self.condition_head = head

    def condition_heads(
        self, features: Features, feature_map: Activations, labels: Tensor | None, training: bool
    ) -> dict[str, Tensor]:
        """The answers of the condition's heads, by name; empty without one.

        Args:
            features: The features of a batch.
            feature_map: The activations that enter the last stage before the features: a vector for each place.
            labels: The class of each row, or a row of weights for the classes each; None without classes.
            training: Whether variables that a call in training moves are moved.
        """
        if self.condition_head is None:
            return {}
        answers: dict[str, Tensor] = self.condition_head(features, feature_map, labels, training=training)
        return answers

    def checked(self, inputs: DiscriminatorInputs) -> tuple[Images, Labels | ClassWeights | None]:
        """Takes the inputs of a call apart.

        Args:
            inputs: What `call` was given.

        Returns:
            The images, and what `checked_labels` returns, or None without classes.

        Raises:
            ValueError: If the shapes or dtypes do not fit the configuration, labels are missing, or a label is not a
                class.
        """
        images, labels = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        check_images(images, self.config.resolution)
        if not self.config.num_classes:
            return images, None
        if labels is None:
            raise ValueError(
                "A conditional discriminator must be called with (images, labels). Received: images alone."
            )
        return images, self.checked_labels(labels)

    def checked_labels(self, labels: Tensor) -> Labels | ClassWeights:
        """The labels of a call where there are classes, or the weights for the classes in the dtype of the variables.

        Args:
            labels: The class of each row, or a row of weights for the classes each.

        Raises:
            ValueError: If they are neither, or a label is not a class. While a function is traced labels may have any
                dtype.
        """
        if are_weights(labels, self.config.num_classes):
            return class_weights(labels, self.config.num_classes, self.variable_dtype)
        if is_traced(labels) and keras.backend.is_float_dtype(labels.dtype):
            # When Keras saves a network, it traces it with labels in the dtype of the images.
            labels = ops.cast(labels, "int32")
        check_labels(labels, self.config.num_classes)
        return labels

    def alike(self, **changes: Any) -> Discriminator:
        """A new discriminator with fresh weights, whose configuration is this one's but for some fields.

        Args:
            **changes: Fields of `FamilyConfig` with other values, such as `policy`.
        """
        return dataclasses.replace(self.config, **changes).discriminator(self.name)

    def export(self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **options: object) -> None:
        """Exports the network, see `keras.Model.export`; its inputs are images, and labels if there are classes.

        The outputs are `logits`, `features` and the heads by their names.

        Args:
            filepath: The folder or file to write.
            format: "tf_saved_model", by default, or another one of Keras's.
            **options: Are passed on to Keras. `input_signature` need not be among them.
        """
        size = self.config.resolution
        images = keras.InputSpec(dtype="float32", shape=(None, size, size, 3))
        inputs = (images, keras.InputSpec(dtype="int32", shape=(None,))) if self.config.num_classes else images
        AnswersByName(self).export(os.fspath(filepath), format=format, **{"input_signature": [inputs], **options})

    def health(self) -> dict[str, Scalar]:
        """Numbers that a monitor of the training watches, see `Generator.health`."""
        return {}

    def kernels_left_alone(self) -> list[keras.Variable]:
        """Kernels that a regularisation of all kernels leaves out, see `Generator.kernels_left_alone`.

        By default they are those of the condition's head. A table with a row for each class belongs here: the outputs
        of a kernel are its last axis, and those of a table its rows.
        """
        head = self.condition_head
        return head.kernels_left_alone() if isinstance(head, HeadWithClassTable) else []


class AnswersByName(keras.Model):
    """A discriminator whose answers are tensors by name, which is all that an exported model can give.

    Args:
        discriminator: The network.
    """

    def __init__(self, discriminator: Discriminator):
        super().__init__(name=discriminator.name, dtype=discriminator.dtype_policy)
        self.discriminator = discriminator
        self.built = True

    def call(self, inputs: DiscriminatorInputs) -> dict[str, Tensor]:
        judgement = self.discriminator(inputs)
        return {"logits": judgement.logits, "features": judgement.features, **judgement.heads}
