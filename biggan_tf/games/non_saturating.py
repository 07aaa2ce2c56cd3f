"""The non-saturating game (Goodfellow et al. 2014, arXiv:1406.2661, section 3)."""

from __future__ import annotations

from keras import ops

from biggan_tf.games.adversarial import AdversarialGame
from biggan_tf.ops.precision import widen
from biggan_tf.types import Logits, Scalar


class NonSaturatingGame(AdversarialGame):
    """Cross-entropy, where G maximises log D(G(z)), whose gradient does not vanish while D is winning."""

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        real_logits, fake_logits = widen(real_logits), widen(fake_logits)
        # L_D = -E[log s(D(x))] - E[log(1 - s(D(G(z))))], s the sigmoid; -log s(t) = softplus(-t)
        return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))

    def generator(self, fake_logits: Logits) -> Scalar:
        # L_G = -E[log s(D(G(z)))]
        return ops.mean(ops.softplus(-widen(fake_logits)))
