"""The games in which each network has a loss of the logits, with penalties of choice."""

from __future__ import annotations

import abc

from keras import ops

from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.game import Round
from biggan_tf.games.consistency import latent_spread
from biggan_tf.games.feature_matching import feature_distance
from biggan_tf.games.top_k import mean_of_highest, num_kept
from biggan_tf.games.two_player import TwoPlayerGame
from biggan_tf.types import Logits, Scalar, Scalars


class SingleFakeGame(TwoPlayerGame):
    """A game in which G's loss is a mean over fakes, of which each is looked at by itself."""

    @abc.abstractmethod
    def fake_loss(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """What G minimises, and scalars to report by name.

        Args:
            round_: The round of G's phase whose loss this is.
            fake: Its fakes with D's answers.
        """

    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss on fresh fakes, less the weighted latent spread and plus the weighted feature matching, if any."""
        penalties, near = self.config.penalties, None
        if penalties.latent_spread:
            near = self.fakes(round_, None, penalties.latent_noise, moves_state=False)
        fakes = self.fakes(round_, moves_state=False)
        real = [round_.real_batch()] if self.generator_reads_data else []
        fake, *others = round_.discriminate(*(self.shown(round_, batch) for batch in (fakes, *real)))
        loss, scalars = self.fake_loss(round_, JudgedBatch(fakes, fake))
        scalars = dict(scalars)
        if near is not None:
            # L_G = ... - weight E[(G(z) - G(z + noise))^2] (arXiv:2002.04724, equation 6)
            scalars["latent_spread"] = latent_spread(fakes.images, near.images)
            loss = loss - penalties.latent_spread * scalars["latent_spread"]
        if others:
            scalars["feature_distance"] = feature_distance(others[0].features, fake.features)
            loss = loss + penalties.feature_matching * scalars["feature_distance"]
        return loss, scalars


class AdversarialGame(SingleFakeGame):
    """A game of logits: D's loss is a function of those of real images and fakes, G's a mean over those of fakes."""

    @abc.abstractmethod
    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        """What D minimises, apart from the penalties."""

    @abc.abstractmethod
    def generator(self, fake_logits: Logits) -> Scalar:
        """What G minimises: a mean over the logits."""

    def judged_loss(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """D's loss of the logits."""
        return self.discriminator(real.judgement.logits, fake.judgement.logits), {}

    def fake_loss(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """G's loss of the logits: of all, or of the highest."""
        logits = fake.judgement.logits
        if self.config.top_k_share == 1.0:
            return self.generator(logits), {}
        # The losses row by row: the mean over one logit is the loss of its row.
        losses = ops.vectorized_map(lambda logit: self.generator(logit[None]), logits)
        return mean_of_highest(losses, logits, num_kept(self.config, round_.images_seen, logits)), {}
