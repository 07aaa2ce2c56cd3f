"""The games in which each network has a loss of the logits, with penalties of choice."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import keras
from keras import ops

from biggan_tf.contracts.game import Batch, Phase, Round
from biggan_tf.games.composed_penalties import ComposedPenalties, Judged
from biggan_tf.games.config import AdversarialConfig
from biggan_tf.games.consistency import latent_spread
from biggan_tf.games.feature_matching import feature_distance
from biggan_tf.games.penalties import orthogonal_gradient
from biggan_tf.games.top_k import mean_of_highest, num_kept
from biggan_tf.types import Logits, Scalar, Scalars, Tensor


class TwoPlayerGame(abc.ABC):
    """[D x `discriminator_steps`, G x `generator_steps`] (Goodfellow et al. 2014, arXiv:1406.2661, algorithm 1).

    Penalties that are taken in some steps only come in a phase of their own after D's.

    Args:
        config: Its numbers.
    """

    def __init__(self, config: AdversarialConfig):
        self.config = config
        self.penalties = ComposedPenalties(config.penalties)

    @abc.abstractmethod
    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        """What D minimises, apart from the penalties."""

    @abc.abstractmethod
    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss."""

    def phases(self) -> list[Phase]:
        """The phases of a step."""
        config = self.config
        regularised = config.orthogonal_strength > 0
        phases = [
            Phase(
                "discriminator",
                self.discriminator_loss,
                repeats=config.discriminator_steps,
                weight_limit=self.weight_limit,
            )
        ]
        if every := config.penalties.interval:
            phases.append(
                Phase(
                    "discriminator",
                    self.lazy_penalties_loss,
                    name="lazy",
                    every=every,
                    same_data=True,
                    weight_limit=self.weight_limit,
                )
            )
        phases.append(
            Phase(
                "generator",
                self.generator_loss,
                repeats=config.generator_steps,
                reads_data=self.generator_reads_data,
                kernel_gradient=self._orthogonal_gradient if regularised else None,
            )
        )
        return phases

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

    def fakes(self, round_: Round, real: Batch, latent_noise: float = 0.0) -> Batch:
        """Fresh fakes, as many as real images; their labels are sampled.

        Args:
            round_: Of the phase.
            real: The real images.
            latent_noise: The deviation of noise that is added to the latents; 0: none.
        """
        del real
        return round_.generate(latent_noise=latent_noise)

    def gradient_weights(self, round_: Round) -> tuple[Scalar | float, Scalar | float]:
        """The weights of R1 and R2."""
        del round_
        return self.config.penalties.r1, self.config.penalties.r2

    def discriminator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """D's loss on as many fresh fakes as real images, with the penalties that are taken in every step."""
        judged = self._judged(round_, lazily=False)
        loss = self.discriminator(judged.real, judged.fake) + judged.penalty
        return loss, {"d_real": ops.mean(judged.real), "d_fake": ops.mean(judged.fake), **judged.scalars}

    def lazy_penalties_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """The penalties that are taken every k steps, times k (arXiv:1912.04958, section 3.1)."""
        judged = self._judged(round_, lazily=True)
        return self.config.penalties.interval * judged.penalty, judged.scalars

    def _judged(self, round_: Round, lazily: bool) -> Judged:
        real = round_.real_batch()
        penalties, near = self.config.penalties, None
        if penalties.latent_consistency and not lazily:
            # Before the fakes themselves, of which the round keeps the latest.
            near = self.fakes(round_, real, penalties.latent_noise)
        fakes = self.fakes(round_, real)
        return self.penalties.judged(round_, real, fakes, near, self.gradient_weights(round_), lazily)

    def _orthogonal_gradient(self, kernel: keras.Variable) -> Tensor:
        return orthogonal_gradient(kernel, self.config.orthogonal_strength)


class AdversarialGame(TwoPlayerGame):
    """A game in which G's loss is a mean over logits of fakes. It is a class with the two losses."""

    @abc.abstractmethod
    def generator(self, fake_logits: Logits) -> Scalar:
        """What G minimises: a mean over the logits."""

    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss on fresh fakes, and what draws them apart or to the features of real images."""
        penalties = self.config.penalties
        scalars: dict[str, Scalar] = {}
        near = round_.generate(latent_noise=penalties.latent_noise) if penalties.latent_spread else None
        fakes = round_.generate()
        real = [round_.real_batch()] if self.generator_reads_data else []
        fake, *others = round_.discriminate(fakes, *real)
        loss = self._logits_loss(round_, fake.logits)
        if near is not None:
            # L_G = ... - weight E[(G(z) - G(z + noise))^2] (arXiv:2002.04724, equation 6)
            scalars["latent_spread"] = latent_spread(fakes.images, near.images)
            loss = loss - penalties.latent_spread * scalars["latent_spread"]
        if others:
            scalars["feature_distance"] = feature_distance(others[0].features, fake.features)
            loss = loss + penalties.feature_matching * scalars["feature_distance"]
        return loss, scalars

    def _logits_loss(self, round_: Round, logits: Logits) -> Scalar:
        """G's loss of the logits: of all, or of the highest."""
        if self.config.top_k_share == 1.0:
            return self.generator(logits)
        # The losses row by row: the mean over one logit is the loss of its row.
        losses = ops.vectorized_map(lambda logit: self.generator(logit[None]), logits)
        return mean_of_highest(losses, logits, num_kept(self.config, round_.images_seen, logits))
