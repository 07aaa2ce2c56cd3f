"""The hinge game of K + 1 classes: D tells the class of a real image, and that a fake is a fake.

The loss is Crammer and Singer's multi-class hinge (2001, Journal of Machine Learning Research 2, equation 4), as public
code takes it for GANs. Fakes are class K; its score is the negative of D's logit, which stays higher for images that
look real.
"""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Phase, Round
from biggan_tf.games.config import MultiHingeConfig
from biggan_tf.games.wasserstein_gp import CLASSES
from biggan_tf.ops.precision import widen
from biggan_tf.types import Labels, Scalar, Scalars, Tensor


class MultiHingeGame:
    """[D x `discriminator_steps`, G x `generator_steps`].

    Args:
        config: Its numbers.
    """

    def __init__(self, config: MultiHingeConfig):
        self.config = config

    def phases(self) -> list[Phase]:
        """The phases of a step."""
        return [
            Phase("discriminator", self.discriminator_loss, repeats=self.config.discriminator_steps),
            Phase("generator", self.generator_loss, repeats=self.config.generator_steps, reads_data=False),
        ]

    def discriminator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """D's loss on as many fresh fakes as real images."""
        fakes, reals = round_.generate(), round_.real_batch()
        fake, real = round_.discriminate(fakes, reals)
        of_real, of_fake = scores(real), scores(fake)
        as_fakes = ops.full_like(fakes.labels, of_fake.shape[1] - 1)
        # L_D = E[h(s(x), y)] + E[h(s(G(z)), K)]
        loss = multi_hinge(of_real, reals.labels) + multi_hinge(of_fake, as_fakes)
        return loss, {"d_real": ops.mean(widen(real.logits)), "d_fake": ops.mean(widen(fake.logits))}

    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss on fresh fakes, which shall be taken for images of their classes: L_G = E[h(s(G(z)), y)]."""
        fakes = round_.generate()
        (fake,) = round_.discriminate(fakes)
        return multi_hinge(scores(fake), fakes.labels), {}


def scores(judgement: Judgement) -> Float[Tensor, "N classes"]:
    """The scores s of the K classes of images, and then that of the fakes."""
    return ops.concatenate([widen(judgement.heads[CLASSES]), -widen(judgement.logits)[:, None]], axis=1)


def multi_hinge(scores: Float[Tensor, "N classes"], labels: Labels) -> Scalar:
    """The mean of h(s, y) = relu(1 + max_{k != y} s_k - s_y) over the rows.

    Args:
        scores: A score for each class.
        labels: The class whose score shall be the highest, by 1 at least.
    """
    is_label = ops.one_hot(labels, scores.shape[1], dtype="bool")
    lowest = ops.full_like(scores, -float("inf"))
    wrong = ops.max(ops.where(is_label, lowest, scores), axis=1)
    right = ops.sum(ops.where(is_label, scores, ops.zeros_like(scores)), axis=1)
    return ops.mean(ops.relu(1.0 + wrong - right))
