"""The Wasserstein game with a gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028).

It is played as Karras et al. 2018 (arXiv:1710.10196, appendix A.1) do: with a drift term that keeps D's answers near 0,
one update of D for each of G, and an auxiliary classifier where there are classes.
"""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import CLASSES, Judgement
from biggan_tf.contracts.game import Round
from biggan_tf.games.adversarial import AdversarialGame
from biggan_tf.games.config import WassersteinGPConfig
from biggan_tf.games.penalties import gradient_lengths, squared_gradients_between
from biggan_tf.ops.cross_entropy import cross_entropy
from biggan_tf.ops.precision import widen
from biggan_tf.types import Labels, Logits, Scalar, Scalars, Tensor


class WassersteinGPGame(AdversarialGame):
    """D's mean difference estimates a distance, since a penalty bounds its slope.

    Args:
        config: Its numbers.
    """

    config: WassersteinGPConfig

    def __init__(self, config: WassersteinGPConfig):
        super().__init__(config)

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Scalar:
        real = widen(real_logits)
        # L_D = E[D(G(z))] - E[D(x)] + epsilon E[D(x)^2] ...
        return ops.mean(widen(fake_logits)) - ops.mean(real) + self.config.drift_weight * ops.mean(ops.square(real))

    def generator(self, fake_logits: Logits) -> Scalar:
        # L_G = -E[D(G(z))] ...
        return -ops.mean(widen(fake_logits))

    def judged_loss(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """D's loss of the logits, of its slope and of the classes."""
        config = self.config
        loss, _ = super().judged_loss(round_, real, fake)
        scalars: dict[str, Scalar] = {}
        if config.penalty_weight:
            lengths = gradient_lengths(squared_gradients_between(round_, real.batch, fake.batch))
            penalty = ops.mean(ops.square(lengths - config.penalty_target))
            # ... + lambda / target^2 E[(|dD(m)/dm| - target)^2] ...
            loss = loss + config.penalty_weight / config.penalty_target**2 * penalty
            scalars |= {"gradient_length": ops.mean(lengths), "gradient_penalty": penalty}
        if self._classifies(real.judgement):
            # ... + E[CE(C(x), y)] + E[CE(C(G(z)), y)]: D classifies the fakes, too.
            losses = [ops.mean(class_losses_of(each.judgement, each.batch.labels)) for each in (real, fake)]
            loss = loss + config.class_weight * (losses[0] + losses[1])
            scalars |= {"d_class_real": losses[0], "d_class_fake": losses[1]}
        return loss, scalars

    def fake_loss(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """G's loss of the logits, and of the classes of all fakes."""
        loss, scalars = super().fake_loss(round_, fake)
        if not self._classifies(fake.judgement):
            return loss, scalars
        # ... + E[CE(C(G(z)), y)]
        class_loss = ops.mean(class_losses_of(fake.judgement, fake.batch.labels))
        return loss + self.config.class_weight * class_loss, {**scalars, "g_class": class_loss}

    def _classifies(self, judgement: Judgement) -> bool:
        return self.config.class_weight > 0 and CLASSES in judgement.heads


def class_losses_of(judgement: Judgement, labels: Labels) -> Float[Tensor, " N"]:
    """The cross-entropy of each row's class logits and its class (Odena et al. 2017, arXiv:1610.09585, equation 3)."""
    return cross_entropy(judgement.heads[CLASSES], labels)
