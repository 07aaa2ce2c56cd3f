"""The interface of an augmentation, which changes real and generated images before the discriminator sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import keras
from jaxtyping import Float

from biggan_tf.types import Count, Images, Scalar, Scalars, Tensor


@runtime_checkable
class RowRandom(Protocol):
    """Random numbers for the rows of a batch; they do not depend on how many replicas share the batch."""

    def uniform(self, *shape: int) -> Float[Tensor, " N *S"]:
        """Numbers in [0, 1), uniformly distributed; each call gives others.

        Args:
            *shape: The shape of the numbers of one row; none: one number for each row.
        """
        ...

    def normal(self, *shape: int) -> Float[Tensor, " N *S"]:
        """Numbers of N(0, 1); each call gives others.

        Args:
            *shape: The shape of the numbers of one row; none: one number for each row.
        """
        ...


@runtime_checkable
class Augmentation(Protocol):
    """A differentiable random change of images, with or without a state of its own."""

    def __call__(self, images: Images, random: RowRandom) -> Images:
        """Changes images, differentiably.

        Args:
            images: The images.
            random: The source of every random choice, so that a run that goes on from a checkpoint makes the same ones.
        """
        ...

    def observe(self, real_sign: Scalar, rows: int) -> None:
        """Is called after each phase in which the discriminator answered real images, for one that adapts to it.

        Args:
            real_sign: The mean of the signs of its logits for them, over all micro-batches and replicas.
            rows: How many logits these were.
        """
        ...

    def end_step(self, steps_done: Count, images_seen: Count, images_per_step: int) -> Scalars:
        """Is called after the last phase of each step; returns scalars to report, by name, the same on all replicas.

        Args:
            steps_done: How many steps have been done, this one included.
            images_seen: How many real images the discriminator has been trained on, those of this step included. It is
                not `steps_done` times `images_per_step` where the batches have grown.
            images_per_step: How many real images the discriminator sees in a step at present.
        """
        ...

    def state(self) -> Mapping[str, keras.Variable]:
        """The variables that a checkpoint must hold, by name; empty for an augmentation without a state."""
        ...
