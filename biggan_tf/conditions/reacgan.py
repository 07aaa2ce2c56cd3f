"""ReACGAN's data-to-data cross-entropy, D2D-CE (Kang et al. 2021, arXiv:2111.01118, section 3)."""

from __future__ import annotations

from keras import ops

from biggan_tf.conditions.config import ReACGANConfig
from biggan_tf.conditions.proxy_condition import ProxyCondition
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.layers.condition_heads import EMBEDDING, PROXY
from biggan_tf.ops.cosines import NONE_CHOSEN, cosines, log_sum_exp_of_chosen, neighbours
from biggan_tf.types import Embeddings, Labels, Scalar


class ReACGANCondition(ProxyCondition[ReACGANConfig]):
    """An image's embedding is to be as near to its class's proxy as a margin asks, and far from other classes' images.

    Pairs that are easy enough already, by the margins, have no gradient. D learns so from real images, and G from its
    fakes.

    Args:
        config: Its numbers.
    """

    reported = "data_to_data"

    def loss(self, judged: JudgedBatch) -> Scalar:
        heads, config = judged.judgement.heads, self.config
        return data_to_data(
            heads[EMBEDDING],
            heads[PROXY],
            judged.batch.labels,
            config.temperature,
            config.positive_margin,
            config.negative_margin,
        )


def data_to_data(
    embeddings: Embeddings,
    proxies: Embeddings,
    labels: Labels,
    temperature: float,
    positive_margin: float,
    negative_margin: float,
) -> Scalar:
    """The mean over this replica's rows of D2D-CE among the images of all replicas, as StudioGAN computes it.

    Args:
        embeddings: The embedding of each image.
        proxies: The proxy of each image's class.
        labels: The classes.
        temperature: t, what cosines are divided by.
        positive_margin: m_p, the cosine with its proxy from which on an image is near enough.
        negative_margin: m_n, the cosine up to which images of two classes are far enough from each other.
    """
    near = neighbours(embeddings, labels)
    # pos_i = [m_p - S_ip]_+ / t
    positive = ops.relu(positive_margin - cosines(embeddings, proxies)) / temperature
    # A_ij = (S_ij - m_n) / t
    excess = (near.cosines - negative_margin) / temperature
    # mx_i = max_{j != i} A_ij, a constant. StudioGAN subtracts it from the negatives alone and not from the positive,
    # so that it is part of the loss and no mere guard against overflow.
    largest = ops.max(ops.where(near.others, excess, ops.full_like(excess, NONE_CHOSEN)), axis=1, keepdims=True)
    shifted = ops.relu(excess) - ops.stop_gradient(largest)
    # l_i = pos_i + log(exp(-pos_i) + sum_{y_j != y_i} exp([A_ij]_+ - mx_i))
    return ops.mean(positive + log_sum_exp_of_chosen(shifted, ops.logical_not(near.same_class), -positive))
