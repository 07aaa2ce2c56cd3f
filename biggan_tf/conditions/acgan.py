"""The auxiliary classifier of ACGAN (Odena et al. 2017, arXiv:1610.09585, equation 3)."""

from __future__ import annotations

from keras import ops

from biggan_tf.conditions.config import ACGANConfig
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import LinearLayer
from biggan_tf.contracts.game import Round
from biggan_tf.layers.condition_heads import CLASS_LOGITS, LinearHead
from biggan_tf.ops.cross_entropy import cross_entropy
from biggan_tf.types import DType, Scalar, Scalars


class ACGANCondition:
    """D learns to tell the class of real images, and of fakes if `fake_weight` > 0; G, to draw what D tells rightly.

    Args:
        config: Its numbers.
    """

    def __init__(self, config: ACGANConfig):
        self.config = config

    def head(self, num_classes: int, linear: LinearLayer, dtype: DType) -> LinearHead:
        """A linear layer from features to class logits, without a bias as in StudioGAN."""
        return LinearHead({CLASS_LOGITS: linear(num_classes, False, "linear")}, name="condition_head", dtype=dtype)

    def discriminator_term(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_D = ... + w_r E[CE(C(x), y)] + w_f E[CE(C(G(z)), y)]."""
        del round_
        of_real, of_fake = _class_loss(real), _class_loss(fake)
        # L_D = ... + w_r E[-log P(C = y | x)] + w_f E[-log P(C = y | G(z))]
        term = self.config.real_weight * of_real + self.config.fake_weight * of_fake
        return term, {"d_class_real": of_real, "d_class_fake": of_fake}

    def generator_term(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_G = ... + w_g E[CE(C(G(z)), y)]."""
        del round_
        loss = _class_loss(fake)
        return self.config.generator_weight * loss, {"g_class": loss}


def _class_loss(judged: JudgedBatch) -> Scalar:
    return ops.mean(cross_entropy(judged.judgement.heads[CLASS_LOGITS], judged.batch.labels))
