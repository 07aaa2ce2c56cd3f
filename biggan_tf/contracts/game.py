"""The algorithm of a training as data: a game is a list of phases, and a phase is an update of one network.

BigGAN is [D twice, G]. StyleGAN2 is [G, path length every 4 steps, D, R1 every 16]. R3GAN is [D, G on new images].
`training.phases` is the one place that runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import keras
from jaxtyping import Float

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.generator import Styles
from biggan_tf.types import Count, Images, Key, LabelsOrImages, Latents, Scalar, Scalars, Tensor


class Batch(NamedTuple):
    """Images with their labels.

    A round returns a `RealBatch` or a `FakeBatch`. A copy by `_replace`, such as one with blurred images, is one too;
    a new `Batch` of changed images is neither.

    Attributes:
        images: The images, in [-1, 1].
        labels: The class of each image; without classes they are there too and mean nothing. In families that enlarge
            images (`contracts.enlarging_generator`) the small image of each.
    """

    images: Images
    labels: LabelsOrImages


class RealBatch(Batch):
    """Images of the data."""

    __slots__ = ()


class FakeBatch(Batch):
    """Images of the generator, for the latents of the round."""

    __slots__ = ()


@runtime_checkable
class Round(Protocol):
    """One micro-batch of a phase on one replica, and what a loss may do with it.

    Attributes:
        key: The key from which every random number of the round derives; the same on all replicas.
        images_seen: How many real images the discriminator has seen so far.
        fakes: The images of the latest call of `generate` or `synthesise`; None before it.
    """

    key: Key
    images_seen: Count
    fakes: Images | None

    def real_batch(self) -> Batch:
        """The real images of the round; raises ValueError in a phase that reads none."""
        ...

    def latents(self) -> Latents:
        """The latents of the round as they were drawn; the images of a `FakeBatch` are theirs."""
        ...

    def styles(self, mixing: float = 0.0, moves_state: bool = True, latent_noise: float = 0.0) -> Styles:
        """What steers the generator for the latents and labels of the round.

        Args:
            mixing: The probability that the styles of the whole round are mixed with those of further latents, see
                `Generator.mixed`.
            moves_state: Whether variables that a call in training moves, such as a running mean, are moved.
            latent_noise: The deviation of normal noise that is added to the latents of the round; 0: none.
        """
        ...

    def synthesise(self, styles: Styles, moves_state: bool = True) -> Batch:
        """Images of the generator in training mode for styles of this round, with the labels of the round.

        Args:
            styles: What `styles` returned.
            moves_state: Whether variables that a call in training moves are moved. False leaves them in generators that
                compute the same without, see `Generator.training_moves_state_alone`; others move them nonetheless.
        """
        ...

    def random_normal(self, shape: Sequence[int]) -> Float[Tensor, " N *S"]:
        """Numbers of N(0, 1) for each row of the round, which do not depend on how many replicas share the batch.

        Args:
            shape: The shape of the numbers of one row. Each call of a round with this shape gives the same, so a loss
                calls it once.
        """
        ...

    def random_uniform(self, shape: Sequence[int]) -> Float[Tensor, " N *S"]:
        """Numbers in [0, 1) for each row of the round, which do not depend on how many replicas share the batch.

        Args:
            shape: The shape of the numbers of one row. Each call gives others.
        """
        ...

    def generate(self, labels: LabelsOrImages | None = None, latent_noise: float = 0.0) -> Batch:
        """Images of the generator in training mode, with their labels.

        Args:
            labels: The class of each image; None: those that were sampled for the round.
            latent_noise: The deviation of normal noise that is added to the latents of the round; 0: none.
        """
        ...

    def discriminate(self, *batches: Batch) -> list[Judgement]:
        """The discriminator's answers in training mode to augmented images.

        Args:
            *batches: All of them go through the discriminator in one call, so that its state moves once; each in a call
                of its own if the discriminator couples rows and cannot keep batches apart. A gradient with respect to
                the images of a batch passes through the augmentation.

        Returns:
            An answer for each batch.
        """
        ...


class Phase(NamedTuple):
    """One update of one network.

    Attributes:
        trains: Which network's weights the loss is differentiated by.
        loss: Computes from a round the loss, and further scalars to report by name. It may open gradient tapes of its
            own.
        name: Part of the names of what is reported; needed where a network has several phases. The loss is reported
            as d_loss or g_loss without a name, as d_NAME_loss or g_NAME_loss with one.
        repeats: How often in a step, each time on a new round.
        every: Run in steps whose number is a multiple of this one. `keras.Model.fit`, which runs one and the same
            function every step, runs the phase in each with its loss divided by this.
        reads_data: Whether the round has real images.
        same_data: Whether these are the real images of the latest phase before that read some, and not new ones.
        batch_share: The share of a micro-batch's rows that the round has.
        kernel_gradient: What a regularisation adds to the gradient of a kernel (a weight of two axes or more that the
            network does not list in `kernels_left_alone`), after the average over replicas. None: nothing is added.
        weight_limit: After the update every trained weight of the network is clipped to at most this size; 0: none is.
        from_step: How many steps of the training come before the first one in which the phase runs.
        until_step: The phase runs while fewer steps than this are done; 0: to the end. `keras.Model.fit`, which runs
            one and the same function every step, leaves a phase out that ends.
        counts_images: Whether its real images count as seen though it trains the generator: in a game without a
            discriminator.
    """

    trains: Literal["generator", "discriminator"]
    loss: Callable[[Round], tuple[Scalar, Scalars]]
    name: str = ""
    repeats: int = 1
    every: int = 1
    reads_data: bool = True
    same_data: bool = False
    batch_share: float = 1.0
    kernel_gradient: Callable[[keras.Variable], Tensor] | None = None
    weight_limit: float = 0.0
    from_step: int = 0
    until_step: int = 0
    counts_images: bool = False


@runtime_checkable
class Game(Protocol):
    """Which network is trained in which order on which loss."""

    def phases(self) -> Sequence[Phase]:
        """The phases of a step, in order."""
        ...


@runtime_checkable
class GameWithState(Protocol):
    """A game that keeps variables of its own, such as a running mean."""

    def state(self) -> Mapping[str, keras.Variable]:
        """The variables that a checkpoint must hold, by name."""
        ...
