"""ContraGAN's conditional contrastive loss, 2C (Kang and Park 2020, arXiv:2006.12681, equation 8)."""

from __future__ import annotations

from keras import ops

from biggan_tf.conditions.config import ContraGANConfig
from biggan_tf.conditions.proxy_condition import ProxyCondition
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.layers.condition_heads import EMBEDDING, PROXY
from biggan_tf.ops.cosines import cosines, log_sum_exp_of_chosen, neighbours
from biggan_tf.types import Embeddings, Labels, Scalar


class ContraGANCondition(ProxyCondition[ContraGANConfig]):
    """Embeddings of a class's images are drawn to one another and to the class's proxy, and from all other images.

    D learns so from real images, and G from its fakes.

    Args:
        config: Its numbers.
    """

    reported = "contrast"

    def loss(self, judged: JudgedBatch) -> Scalar:
        heads = judged.judgement.heads
        return conditional_contrast(heads[EMBEDDING], heads[PROXY], judged.batch.labels, self.config.temperature)


def conditional_contrast(embeddings: Embeddings, proxies: Embeddings, labels: Labels, temperature: float) -> Scalar:
    """The 2C loss: the mean over this replica's rows of l_i below, where j counts the rows of all replicas.

    Args:
        embeddings: The embedding of each image.
        proxies: The proxy of each image's class.
        labels: The classes.
        temperature: What cosines are divided by.
    """
    near = neighbours(embeddings, labels)
    to_proxy, to_others = cosines(embeddings, proxies) / temperature, near.cosines / temperature
    # l_i = -log [(E_ip + sum_{j != i, y_j = y_i} E_ij) / (E_ip + sum_{j != i} E_ij)], E = exp(cosine / temperature)
    attracting = log_sum_exp_of_chosen(to_others, ops.logical_and(near.others, near.same_class), to_proxy)
    return ops.mean(log_sum_exp_of_chosen(to_others, near.others, to_proxy) - attracting)
