"""The hinge game (Lim and Ye 2017, arXiv:1705.02894)."""

from __future__ import annotations

from keras import ops

from biggan_tf.games.adversarial import AdversarialGame
from biggan_tf.ops.precision import widen
from biggan_tf.types import Logits, Scalar


class HingeGame(AdversarialGame):
    """D's loss has no gradient beyond a margin of 1; BigGAN's choice (arXiv:1809.11096, section 3)."""

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        real_logits, fake_logits = widen(real_logits), widen(fake_logits)
        # L_D = E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]
        return ops.mean(ops.relu(1.0 - real_logits)) + ops.mean(ops.relu(1.0 + fake_logits))

    def generator(self, fake_logits: Logits) -> Scalar:
        # L_G = -E[D(G(z))]
        return -ops.mean(widen(fake_logits))
