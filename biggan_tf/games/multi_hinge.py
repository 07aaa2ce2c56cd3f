"""The hinge game of K + 1 classes: D tells the class of a real image, and that a fake is a fake.

The loss is Crammer and Singer's multi-class hinge (2001, Journal of Machine Learning Research 2, equation 4), as
StudioGAN takes it for GANs. Fakes are class K; its score is the negative of D's logit, which stays higher for images
that look real.
"""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import CLASSES, Judgement
from biggan_tf.contracts.game import Round
from biggan_tf.games.adversarial import SingleFakeGame
from biggan_tf.games.config import MultiHingeConfig
from biggan_tf.games.top_k import mean_of_highest, num_kept
from biggan_tf.ops.precision import widen
from biggan_tf.types import Labels, Scalar, Scalars, Tensor


class MultiHingeGame(SingleFakeGame):
    """Both networks' losses are of the scores of all classes; penalties are of D's logit alone.

    Args:
        config: Its numbers.
    """

    config: MultiHingeConfig

    def __init__(self, config: MultiHingeConfig):
        super().__init__(config)

    def judged_loss(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """D's loss: real images are of their classes, and fakes of the last one."""
        of_real, of_fake = scores(real.judgement), scores(fake.judgement)
        as_fakes = ops.full_like(fake.batch.labels, of_fake.shape[1] - 1)
        # L_D = E[h(s(x), y)] + E[h(s(G(z)), K)]
        return ops.mean(multi_hinge(of_real, real.batch.labels)) + ops.mean(multi_hinge(of_fake, as_fakes)), {}

    def fake_loss(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """G's loss on fakes, which shall be taken for images of their classes: of all, or of the highest logits."""
        # L_G = E[h(s(G(z)), y)]
        losses, logits = multi_hinge(scores(fake.judgement), fake.batch.labels), fake.judgement.logits
        if self.config.top_k_share == 1.0:
            return ops.mean(losses), {}
        return mean_of_highest(losses, logits, num_kept(self.config, round_.images_seen, logits)), {}


def scores(judgement: Judgement) -> Float[Tensor, "N classes"]:
    """The scores s of the K classes of images, and then that of the fakes."""
    return ops.concatenate([widen(judgement.heads[CLASSES]), -widen(judgement.logits)[:, None]], axis=1)


def multi_hinge(scores: Float[Tensor, "N classes"], labels: Labels) -> Float[Tensor, " N"]:
    """h(s, y) = relu(1 + max_{k != y} s_k - s_y) of each row.

    Args:
        scores: A score for each class.
        labels: The class whose score shall be the highest, by 1 at least.
    """
    is_label = ops.one_hot(labels, scores.shape[1], dtype="bool")
    lowest = ops.full_like(scores, -float("inf"))
    wrong = ops.max(ops.where(is_label, lowest, scores), axis=1)
    right = ops.sum(ops.where(is_label, scores, ops.zeros_like(scores)), axis=1)
    return ops.relu(1.0 + wrong - right)
