"""The Wasserstein game with a gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028).

It is played as Karras et al. 2018 (arXiv:1710.10196, appendix A.1) do: with a drift term that keeps D's answers near 0,
one update of D for each of G, and an auxiliary classifier where there are classes.
"""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Phase, Round
from biggan_tf.games.config import WassersteinGPConfig
from biggan_tf.games.penalties import gradient_lengths, squared_gradients_between
from biggan_tf.ops.cross_entropy import cross_entropy
from biggan_tf.ops.precision import widen
from biggan_tf.types import Labels, Scalar, Scalars, Tensor

CLASSES = "classes"  # the head of a judgement that has the logits of an auxiliary classifier


class WassersteinGPGame:
    """[D x `discriminator_steps`, G].

    Args:
        config: Its numbers.
    """

    def __init__(self, config: WassersteinGPConfig):
        self.config = config

    def phases(self) -> list[Phase]:
        """The phases of a step."""
        return [
            Phase("discriminator", self.discriminator_loss, repeats=self.config.discriminator_steps),
            Phase("generator", self.generator_loss, reads_data=False),
        ]

    def discriminator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """D's loss on as many fresh fakes as real images."""
        config = self.config
        fakes, reals = round_.generate(), round_.real_batch()
        fake, real = round_.discriminate(fakes, reals)
        fake_logits, real_logits = widen(fake.logits), widen(real.logits)
        scalars = {"d_real": ops.mean(real_logits), "d_fake": ops.mean(fake_logits)}
        # L_D = E[D(G(z))] - E[D(x)] + lambda / target^2 E[(|dD(m)/dm| - target)^2] + epsilon E[D(x)^2]
        loss = scalars["d_fake"] - scalars["d_real"] + config.drift_weight * ops.mean(ops.square(real_logits))
        if config.penalty_weight:
            lengths = gradient_lengths(squared_gradients_between(round_, reals, fakes))
            penalty = ops.mean(ops.square(lengths - config.penalty_target))
            loss = loss + config.penalty_weight / config.penalty_target**2 * penalty
            scalars |= {"gradient_length": ops.mean(lengths), "gradient_penalty": penalty}
        # ... + E[CE(C(x), y)] + E[CE(C(G(z)), y)]: D classifies the fakes, too.
        if self._classifies(real):
            class_losses = [ops.mean(class_losses_of(*pair)) for pair in ((real, reals.labels), (fake, fakes.labels))]
            loss = loss + config.class_weight * (class_losses[0] + class_losses[1])
            scalars |= {"d_class_real": class_losses[0], "d_class_fake": class_losses[1]}
        return loss, scalars

    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss on fresh fakes: L_G = -E[D(G(z))] + E[CE(C(G(z)), y)]."""
        fakes = round_.generate()
        (fake,) = round_.discriminate(fakes)
        loss = -ops.mean(widen(fake.logits))
        if not self._classifies(fake):
            return loss, {}
        class_loss = ops.mean(class_losses_of(fake, fakes.labels))
        return loss + self.config.class_weight * class_loss, {"g_class": class_loss}

    def _classifies(self, judgement: Judgement) -> bool:
        return self.config.class_weight > 0 and CLASSES in judgement.heads


def class_losses_of(judgement: Judgement, labels: Labels) -> Float[Tensor, " N"]:
    """The cross-entropy of each row's class logits and its class (Odena et al. 2017, arXiv:1610.09585, equation 3)."""
    return cross_entropy(judgement.heads[CLASSES], labels)
