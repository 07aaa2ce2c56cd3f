"""The Wasserstein game with clipped weights (Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1)."""

from __future__ import annotations

from keras import ops

from biggan_tf.games.adversarial import AdversarialGame
from biggan_tf.games.config import WassersteinConfig
from biggan_tf.ops.precision import widen
from biggan_tf.types import Logits, Scalar


class WassersteinGame(AdversarialGame):
    """D is a critic whose mean difference estimates a distance, if a limit of its weights bounds its slope.

    Args:
        config: Its numbers.
    """

    config: WassersteinConfig

    def __init__(self, config: WassersteinConfig):
        super().__init__(config)

    @property
    def weight_limit(self) -> float:
        # w <- clip(w, -c, c) (algorithm 1, line 7)
        return self.config.weight_limit

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        # L_D = E[D(G(z))] - E[D(x)]
        return ops.mean(widen(fake_logits)) - ops.mean(widen(real_logits))

    def generator(self, fake_logits: Logits) -> Scalar:
        # L_G = -E[D(G(z))]
        return -ops.mean(widen(fake_logits))
