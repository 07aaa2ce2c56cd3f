"""The least-squares game (Mao et al. 2017, arXiv:1611.04076)."""

from __future__ import annotations

from keras import ops

from biggan_tf.games.adversarial import AdversarialGame
from biggan_tf.ops.precision import widen
from biggan_tf.types import Logits, Scalar


class LeastSquaresGame(AdversarialGame):
    """D's logits are drawn to 1 for real images and to 0 for fakes, and G draws those of its fakes to 1."""

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        real_logits, fake_logits = widen(real_logits), widen(fake_logits)
        # L_D = E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2 (equation 9)
        return 0.5 * ops.mean(ops.square(real_logits - 1.0)) + 0.5 * ops.mean(ops.square(fake_logits))

    def generator(self, fake_logits: Logits) -> Scalar:
        # L_G = E[(D(G(z)) - 1)^2] / 2 (equation 9)
        return 0.5 * ops.mean(ops.square(widen(fake_logits) - 1.0))
