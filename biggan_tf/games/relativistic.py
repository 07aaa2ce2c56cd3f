"""The relativistic game of pairs (Jolicoeur-Martineau 2018, arXiv:1807.00734, equation 6)."""

from __future__ import annotations

from keras import ops

from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.game import Batch, Round
from biggan_tf.games.two_player import TwoPlayerGame
from biggan_tf.ops.precision import widen
from biggan_tf.types import LabelsOrImages, Logits, Scalar, Scalars


class RelativisticGame(TwoPlayerGame):
    """D is to find each real image more real than the fake that it is paired with, and G the reverse.

    A pair shares the class of its real image. G's loss is D's with the roles of real and fake exchanged.
    """

    @property
    def generator_reads_data(self) -> bool:
        return True

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        """What D minimises, apart from the penalties."""
        # L_D = E[softplus(-(D(x) - D(G(z))))]
        return ops.mean(ops.softplus(widen(fake_logits) - widen(real_logits)))

    def judged_loss(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """D's loss of the logits."""
        return self.discriminator(real.judgement.logits, fake.judgement.logits), {}

    def labels_of_fakes(self, real: Batch) -> LabelsOrImages:
        """The real images' classes."""
        return real.labels

    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss on fresh fakes and the real images of the round: L_G = E[softplus(-(D(G(z)) - D(x)))]."""
        real = round_.real_batch()
        fakes = self.fakes(round_, self.labels_of_fakes(real))
        fake_answer, real_answer = round_.discriminate(fakes, real)
        return self.discriminator(fake_answer.logits, real_answer.logits), {}
