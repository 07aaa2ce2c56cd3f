"""What conditions have in common that compare an image's embedding with a proxy of its class."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from biggan_tf.conditions.config import ContraGANConfig, ReACGANConfig
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import LinearLayer
from biggan_tf.contracts.game import Round
from biggan_tf.layers.condition_heads import ProxyHead
from biggan_tf.types import DType, Scalar, Scalars

ConfigT = TypeVar("ConfigT", bound=ContraGANConfig | ReACGANConfig)


class ProxyCondition(Generic[ConfigT]):
    """D learns embeddings and proxies from real images, and G learns from its fakes by the same loss.

    Args:
        config: The numbers of the condition.

    Attributes:
        reported: What the loss is called in the log, behind "d_" and "g_".
    """

    reported: ClassVar[str]

    def __init__(self, config: ConfigT):
        self.config = config

    def loss(self, judged: JudgedBatch) -> Scalar:
        """The loss of a batch, before it is multiplied by the weight."""
        raise NotImplementedError(f"{type(self).__name__} must define loss.")

    def head(self, num_classes: int, linear: LinearLayer, dtype: DType) -> ProxyHead:
        """A linear layer from features to an embedding, and a table of proxies."""
        return ProxyHead(num_classes, self.config.embedding_dim, linear, name="condition_head", dtype=dtype)

    def discriminator_term(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_D = ... + weight loss(real images)."""
        del round_, fake
        loss = self.loss(real)
        return self.config.weight * loss, {f"d_{self.reported}": loss}

    def generator_term(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_G = ... + weight loss(fakes)."""
        del round_
        loss = self.loss(fake)
        return self.config.weight * loss, {f"g_{self.reported}": loss}
