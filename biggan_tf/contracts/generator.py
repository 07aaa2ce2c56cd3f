"""The interface of every family's generator."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import keras

from biggan_tf.config.parts import FamilyConfig
from biggan_tf.contracts.codes import ConditionWithCodes
from biggan_tf.contracts.input_checks import check_rank
from biggan_tf.types import (
    Count,
    Embeddings,
    Images,
    InputShape,
    Labels,
    Latents,
    RowKeys,
    Scalar,
    Shape,
    Tensor,
    Truncation,
)

# What steers the layers of a generator: tensors whose first axis is the batch's, in a form that only its family knows.
Styles: TypeAlias = tuple[Any, ...]
# What a generator is called with: latents, or latents and class embeddings where there are classes.
GeneratorInputs: TypeAlias = Tensor | tuple[Tensor, Tensor] | list[Tensor]


class Generator(keras.Model):
    """Maps latents and classes to images, in the two halves that every family has.

    `styles` turns a latent and a class into what steers the layers: chunks of z for BigGAN, the output of a mapping
    network for StyleGAN. `synthesise` turns that into images. A call does both. Classes are given as embeddings and not
    as labels, so that a caller can mix them; `embed` looks labels up.

    A family implements `styles`, `synthesise` and, if it has classes, `embed` and `embedding_dim`.

    Attributes:
        config: The configuration of both networks. Code outside of the family may read nothing else of a network.
    """

    config: FamilyConfig

    @property
    def has_noise(self) -> bool:
        """Whether the images depend on `keys`; False by default."""
        return False

    @property
    def training_moves_state_alone(self) -> bool:
        """Whether training=True changes nothing in `synthesise` but that it moves variables first; False by default.

        A loss can then have images without moving them. Batch norms compute otherwise in training than not.
        """
        return False

    @property
    def plane(self) -> keras.Variable | None:
        """A transformation of the coordinates that the images are drawn from, [3, 3]; None, the default: there is none.

        It takes the place (x, y, 1) of an image to the place that is drawn there, with x to the right, y down, (0, 0)
        the centre of the image and its width 1. With (-a, -b) in its last column the picture moves by (a, b).
        """
        return None

    @property
    def embedding_dim(self) -> int:
        """How many values a class embedding has; 0, the default: there are no classes."""
        return 0

    @property
    def input_shapes(self) -> InputShape | Sequence[InputShape]:
        """The shape of z, or the shapes of z and embedding, of which Keras's summary computes that of the images."""
        z = (None, self.config.z_dim)
        return (z, (None, self.embedding_dim)) if self.embedding_dim else z

    def embed(self, labels: Labels) -> Embeddings:
        """Looks up the embeddings of classes.

        Args:
            labels: The class of each row.

        Raises:
            ValueError: If there are no classes, or a label is not a class.
        """
        raise ValueError("An unconditional generator has no class embedding. Received: labels; call it with z alone.")

    def styles(
        self,
        z: Latents,
        embedding: Embeddings | None = None,
        truncation: Truncation | None = None,
        training: bool = False,
    ) -> Styles:
        """Computes what steers the layers.

        Args:
            z: The latents.
            embedding: The embedding of the class of each row; None without classes.
            truncation: One number for each row or one for all, whose meaning `config.truncation_rule` says: how far the
                latents were truncated, from 0 to 1, or how far the styles are to be. None: not at all.
            training: Whether variables that a call in training moves are moved; they are not by default.
        """
        raise NotImplementedError(f"{type(self).__name__} must define styles.")

    def synthesise(self, styles: Styles, keys: RowKeys | None = None, training: bool = False) -> Images:
        """Computes images, whose values lie in [-1, 1] or, in families without a last activation, about there.

        Args:
            styles: What `styles` returned.
            keys: In families with noise the key that decides the noise of each row; a row's noise depends on its own
                key alone. None: the same noise in every row.
            training: Whether variables that a call in training moves, such as running moments, are moved; they are not
                by default.
        """
        raise NotImplementedError(f"{type(self).__name__} must define synthesise.")

    def mixed(self, first: Styles, second: Styles, cutoff: Count | int) -> Styles:
        """Styles of `first` in the layers before a cutoff, and of `second` from there on.

        Args:
            first: What `styles` returned.
            second: What `styles` returned for other latents of the same classes.
            cutoff: From 1 to `num_styles` - 1.

        Raises:
            NotImplementedError: If the family's layers do not have styles of their own.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot mix styles; set the game's mixing to 0.")

    @property
    def num_styles(self) -> int:
        """How many layers have a style of their own; 1, the default, where styles cannot be mixed."""
        return 1

    def call(
        self,
        inputs: GeneratorInputs,
        training: bool = False,
        truncation: Truncation | None = None,
        keys: RowKeys | None = None,
    ) -> Images:
        """Computes images in [-1, 1].

        Args:
            inputs: The latents z, or (z, embedding) if there are classes.
            training: Whether variables that a call in training moves are moved; they are not by default.
            truncation: How far latents were truncated, or how far styles are to be, see `styles`; None: not at all.
            keys: The key that decides the noise of each row, in families with noise; None: the same noise in every row.
        """
        z, embedding = self.checked(inputs)
        return self.synthesise(self.styles(z, embedding, truncation, training), keys, training)

    def checked(self, inputs: GeneratorInputs) -> tuple[Latents, Embeddings | None]:
        """Takes the inputs of a call apart.

        Args:
            inputs: What `call` was given.

        Returns:
            The latents, and the embeddings, or None without classes.

        Raises:
            ValueError: If the shapes do not fit the configuration, or an embedding is missing or not wanted.
        """
        z, embedding = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        check_rank("z", z, 2, self.config.z_dim)
        if not self.config.num_classes:
            if embedding is not None:
                raise ValueError("An unconditional generator must be called with z alone. Received: a class embedding.")
            return z, None
        if embedding is None:
            raise ValueError(
                "A conditional generator must be called with (z, embedding). Received: z alone; "
                "pass generator.embed(labels) with it."
            )
        check_rank("embedding", embedding, 2, self.embedding_dim)
        return z, embedding

    def inputs_of(self, z: Latents, labels: Labels | None = None) -> GeneratorInputs:
        """What the generator must be called with for given latents and labels.

        Args:
            z: The latents.
            labels: The class of each row. Without classes they are ignored, and may be None.

        Returns:
            (z, embedding), or z alone without classes.

        Raises:
            ValueError: If there are classes and no labels are given.
        """
        if not self.config.num_classes:
            return z
        if labels is None:
            raise ValueError("A generator with classes must be given labels with z. Received: z alone.")
        return z, self.embed(labels)

    def with_codes(self, z: Latents) -> Latents:
        """What the layers are given in the place of latents: with the codes of the condition, if it has any.

        A family calls it wherever latents enter its layers.

        Args:
            z: The latents as they were drawn.
        """
        condition = self.config.condition.build() if self.config.condition.has_codes else None
        return condition.codes_to_latents(z) if isinstance(condition, ConditionWithCodes) else z

    def export(self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **options: object) -> None:
        """Exports the network, see `keras.Model.export`; its inputs are z, and the embedding if there are classes.

        Args:
            filepath: The folder or file to write.
            format: "tf_saved_model", by default, or another one of Keras's.
            **options: Are passed on to Keras. `input_signature` need not be among them.
        """
        z = keras.InputSpec(dtype="float32", shape=(None, self.config.z_dim))
        inputs = (z, keras.InputSpec(dtype="float32", shape=(None, self.embedding_dim))) if self.embedding_dim else z
        super().export(os.fspath(filepath), format=format, **{"input_signature": [inputs], **options})

    def health(self) -> dict[str, Scalar]:
        """Numbers that a monitor of the training watches, by "group/name"; none by default.

        The monitor takes a number that grows many-fold for the sign of a collapse. BigGAN gives the largest singular
        value of each kernel.
        """
        return {}

    def kernels_left_alone(self) -> list[keras.Variable]:
        """Weights of two axes or more that a regularisation of all kernels leaves out, such as embeddings.

        There are none by default.
        """
        return []

    def compute_output_shape(self, input_shape: InputShape | Sequence[InputShape]) -> Shape:
        """The shape of the images for the shape of z, or for the shapes of z and embedding."""
        first = input_shape[0]
        batch = first[0] if isinstance(first, Sequence) else first
        return (batch, self.config.resolution, self.config.resolution, 3)
