"""The relativistic game of pairs (Jolicoeur-Martineau 2018, arXiv:1807.00734, equation 6)."""

from __future__ import annotations

from keras import ops

from biggan_tf.contracts.game import Batch, Round
from biggan_tf.games.adversarial import TwoPlayerGame
from biggan_tf.ops.precision import widen
from biggan_tf.types import Logits, Scalar, Scalars


class RelativisticGame(TwoPlayerGame):
    """D is to find each real image more real than the fake that it is paired with, and G the reverse.

    A pair shares the class of its real image. G's loss is D's with the roles of real and fake exchanged.
    """

    @property
    def generator_reads_data(self) -> bool:
        return True

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        # L_D = E[softplus(-(D(x) - D(G(z))))]
        return ops.mean(ops.softplus(widen(fake_logits) - widen(real_logits)))

    def fakes(self, round_: Round, real: Batch, latent_noise: float = 0.0) -> Batch:
        """Fresh fakes of the real images' classes."""
        return round_.generate(real.labels, latent_noise)

    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss on fresh fakes and the real images of the round: L_G = E[softplus(-(D(G(z)) - D(x)))]."""
        real = round_.real_batch()
        fake_answer, real_answer = round_.discriminate(self.fakes(round_, real), real)
        return self.discriminator(fake_answer.logits, real_answer.logits), {}
