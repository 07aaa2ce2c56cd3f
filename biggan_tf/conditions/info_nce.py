"""InfoNCE on embeddings of real images and of fakes (van den Oord et al. 2018, arXiv:1807.03748, equation 4).

The losses are those of ContraD (Jeong and Shin 2021, arXiv:2103.09742). One is low where the embeddings of two views of
a real image are more similar to each other than to those of all other images (NT-Xent, arXiv:2002.05709, equation 1),
the other where the embeddings of fakes are more similar to one another than to those of real images. ContraD computes
D's logit from features that are constants to the logit's loss, and has two layers in front of each embedding. Here the
game's loss and these train the features together, so that it can be any game, and an embedding is one linear layer.
"""

from __future__ import annotations

from keras import ops

from biggan_tf.conditions.config import InfoNCEConfig
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import LinearLayer
from biggan_tf.contracts.game import Round
from biggan_tf.games.consistency import changed
from biggan_tf.layers.condition_heads import FAKE_EMBEDDING, VIEW_EMBEDDING, LinearHead
from biggan_tf.ops.cosines import gathered, log_sum_exp_of_chosen, other_rows, unit_rows
from biggan_tf.ops.replicas import num_replicas
from biggan_tf.types import DType, Embeddings, Scalar, Scalars


class InfoNCECondition:
    """Trains D's features so that two views of a real image have similar embeddings, and fakes others than real images.

    It adds two terms to D's loss and none to G's. Classes enter as with projection.

    Args:
        config: Its numbers.
    """

    def __init__(self, config: InfoNCEConfig):
        self.config = config

    def head(self, num_classes: int, linear: LinearLayer, dtype: DType) -> LinearHead:
        """Two linear layers, one for each of the losses."""
        del num_classes
        dim = self.config.embedding_dim
        embeddings = {VIEW_EMBEDDING: linear(dim, True, "view"), FAKE_EMBEDDING: linear(dim, True, "fake")}
        return LinearHead(embeddings, name="condition_head", dtype=dtype)

    def discriminator_term(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_D = ... + weight NT-Xent(x, T(x)) + fake_weight L(G(z); x, T(x)).

        T mirrors and moves an image as consistency regularisation does; the run's augmentation changes both views.
        """
        config = self.config
        (view,) = round_.discriminate(changed(round_, real.batch))
        one, other = real.judgement.heads, view.heads
        views = two_views(one[VIEW_EMBEDDING], other[VIEW_EMBEDDING], config.temperature)
        fakes = fakes_among(
            fake.judgement.heads[FAKE_EMBEDDING], one[FAKE_EMBEDDING], other[FAKE_EMBEDDING], config.temperature
        )
        # I(x; T(x)) >= log(candidates) - loss (arXiv:1807.03748, section 2.3), and each view has 2 M - 1 candidates.
        candidates = 2 * num_replicas() * one[VIEW_EMBEDDING].shape[0] - 1
        bound = ops.log(ops.cast(candidates, views.dtype)) - views
        scalars = {"d_views": views, "d_fakes_among": fakes, "d_view_information": bound}
        return config.weight * views + config.fake_weight * fakes, scalars

    def generator_term(self, round_: Round, fake: JudgedBatch) -> None:
        """None: G's loss is that of the game, which looks at D's logit."""
        del round_, fake


def two_views(one: Embeddings, other: Embeddings, temperature: float) -> Scalar:
    """NT-Xent: the mean of l_i below over both views of this replica's images; low where an image's views are alike.

    Args:
        one: The embeddings of a view of each image.
        other: The embeddings of another view of the same images.
        temperature: t, what cosines are divided by.
    """
    first, second = unit_rows(one), unit_rows(other)
    everyone = ops.transpose(ops.concatenate(gathered(first, second)))
    others = other_rows(one.shape[0])
    every = ops.ones_like(others)
    # l_i = -log [exp(S_ip / t) / sum_{j != i} exp(S_ij / t)], where p is the other view of image i
    partner = ops.sum(first * second, axis=-1) / temperature
    of_first = log_sum_exp_of_chosen(ops.matmul(first, everyone) / temperature, ops.concatenate([others, every], 1))
    of_second = log_sum_exp_of_chosen(ops.matmul(second, everyone) / temperature, ops.concatenate([every, others], 1))
    return ops.mean((of_first + of_second) / 2 - partner)


def fakes_among(fakes: Embeddings, one: Embeddings, other: Embeddings, temperature: float) -> Scalar:
    """The mean of l_i below over this replica's fakes: -log of the softmax over all images at the other fakes.

    It is low where fakes are more similar to one another than to real images (arXiv:2103.09742).

    Args:
        fakes: The embeddings of fakes.
        one: The embeddings of a view of as many real images.
        other: The embeddings of another view of the same real images.
        temperature: t, what cosines are divided by.
    """
    own = unit_rows(fakes)
    everyone, *real = gathered(own, unit_rows(one), unit_rows(other))
    similar = ops.matmul(own, ops.transpose(ops.concatenate([everyone, *real]))) / temperature
    others = other_rows(fakes.shape[0])
    every = ops.ones_like(others)
    total = log_sum_exp_of_chosen(similar, ops.concatenate([others, every, every], axis=1))
    # l_i = -mean_{j != i} log [exp(S_ij / t) / (sum_{k != i} exp(S_ik / t) + sum over both views exp(S / t))]
    to_fakes = similar[:, : everyone.shape[0]]
    mean = ops.sum(ops.where(others, to_fakes, ops.zeros_like(to_fakes)), axis=1) / (everyone.shape[0] - 1)
    return ops.mean(total - mean)
