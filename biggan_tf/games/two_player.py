"""What all games of two networks share: the phases of a step, D's loss and the penalties on D."""

from __future__ import annotations

import abc
import functools
from collections.abc import Mapping

import keras
from keras import ops

from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.game import Batch, Phase, Round
from biggan_tf.games.composed_penalties import ComposedPenalties, Judged
from biggan_tf.games.config import AdversarialConfig
from biggan_tf.games.penalties import orthogonal_gradient
from biggan_tf.types import LabelsOrImages, Scalar, Scalars


class TwoPlayerGame(abc.ABC):
    """[D x `discriminator_steps`, G x `generator_steps`] (Goodfellow et al. 2014, arXiv:1406.2661, algorithm 1).

    Penalties that are taken in some steps only come after D's updates, in a phase of their own for each interval. It
    takes the real images of D's last update, and generates and judges fakes only where one of its penalties needs them.

    Args:
        config: Its numbers.
    """

    def __init__(self, config: AdversarialConfig):
        self.config = config
        self.penalties = ComposedPenalties(config.penalties)

    @abc.abstractmethod
    def judged_loss(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """What D minimises, apart from the penalties, and scalars to report by name.

        Args:
            round_: The round of D's phase whose loss this is.
            real: The real images.
            fake: The fakes.
        """

    @abc.abstractmethod
    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss."""

    def phases(self) -> list[Phase]:
        """The phases of a step."""
        return [*self.discriminator_phases(), *self.generator_phases()]

    def discriminator_phases(self) -> list[Phase]:
        """D's main phase, and one for each interval of its lazy penalties."""
        strength = self.config.penalties.orthogonal
        main = Phase(
            "discriminator",
            self.discriminator_loss,
            repeats=self.config.discriminator_steps,
            kernel_gradient=functools.partial(orthogonal_gradient, strength=strength) if strength else None,
            weight_limit=self.weight_limit,
        )
        intervals = self.config.penalty_intervals
        lazy = [
            Phase(
                "discriminator",
                functools.partial(self.lazy_penalties_loss, every=every),
                name="lazy" if len(intervals) == 1 else f"lazy_{every}",
                every=every,
                same_data=True,
                weight_limit=self.weight_limit,
            )
            for every in intervals
        ]
        return [main, *lazy]

    def generator_phases(self) -> list[Phase]:
        """G's main phase."""
        strength = self.config.orthogonal_strength
        return [
            Phase(
                "generator",
                self.generator_loss,
                repeats=self.config.generator_steps,
                reads_data=self.generator_reads_data,
                kernel_gradient=functools.partial(orthogonal_gradient, strength=strength) if strength else None,
            )
        ]

    @property
    def generator_reads_data(self) -> bool:
        """Whether G's loss looks at real images, too; it does for feature matching alone by default."""
        return self.config.penalties.feature_matching > 0

    @property
    def weight_limit(self) -> float:
        """The largest size of a weight of D after an update; 0, the default: no limit."""
        return 0.0

    def state(self) -> Mapping[str, keras.Variable]:
        """The variables of the penalties."""
        return self.penalties.state()

    def fakes(
        self,
        round_: Round,
        labels: LabelsOrImages | None = None,
        latent_noise: float = 0.0,
        moves_state: bool = True,
    ) -> Batch:
        """Fresh fakes, as many as real images.

        Args:
            round_: The round of the phase that the fakes are for.
            labels: The class of each fake; None: they are sampled.
            latent_noise: The deviation of noise that is added to the latents; 0: none.
            moves_state: Whether variables that a call in training moves are to be moved; a game may heed it or, as by
                default, move them in every call.
        """
        del moves_state
        return round_.generate(labels, latent_noise)

    def labels_of_fakes(self, real: Batch) -> LabelsOrImages | None:
        """The classes of the fakes that D judges with real images; None, the default: they are sampled.

        Args:
            real: The real images.
        """
        del real
        return None

    def shown(self, round_: Round, batch: Batch) -> Batch:
        """What D is shown of a batch; by default the batch itself.

        Args:
            round_: The round of the phase in which D judges the batch.
            batch: Real images or fakes.
        """
        del round_
        return batch

    def gradient_weights(self, round_: Round) -> tuple[Scalar | float, Scalar | float]:
        """The weights of R1 and R2."""
        del round_
        return self.config.penalties.r1, self.config.penalties.r2

    def discriminator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """D's loss on as many fresh fakes as real images, with the penalties that are taken in every update."""
        judged = self._judged(round_, every=1)
        real, fake = judged.batches["real"], judged.batches["fake"]
        loss, scalars = self.judged_loss(round_, real, fake)
        means = {"d_real": ops.mean(real.judgement.logits), "d_fake": ops.mean(fake.judgement.logits)}
        return loss + judged.penalty, {**means, **scalars, **judged.scalars}

    def lazy_penalties_loss(self, round_: Round, every: int) -> tuple[Scalar, Scalars]:
        """The penalties of one interval, times the updates of D that they stand for.

        In k steps D is updated n_D k times, so that L = n_D k sum_i w_i R_i is on average what these updates would add;
        with n_D = 1 it is that of arXiv:1912.04958, section 3.1.

        Args:
            round_: The round of D's phase whose loss this is.
            every: The interval k.
        """
        judged = self._judged(round_, every)
        return every * self.config.discriminator_steps * judged.penalty, judged.scalars

    def _judged(self, round_: Round, every: int) -> Judged:
        real, weights = round_.real_batch(), self.gradient_weights(round_)
        near = fakes = None
        if self.penalties.needs_fakes(every, weights[1]):
            labels = self.labels_of_fakes(real)
            if self.penalties.takes("latent_consistency", every):
                # Drawn first: `Round.fakes` is the batch that was drawn last, which must be the fakes themselves.
                near = self.fakes(round_, labels, self.config.penalties.latent_noise, moves_state=False)
            fakes = self.fakes(round_, labels, moves_state=every == 1)
        change = functools.partial(self.shown, round_)
        return self.penalties.judged(round_, real, fakes, near, weights, every, change)
