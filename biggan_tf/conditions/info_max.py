"""InfoNCE between images and the places of their feature maps, InfoMax-GAN (Lee et al. 2021, arXiv:2007.04589).

The loss is low where a place of D's feature map can be told to be one of its image. The authors' embeddings are two
convolutions or linear layers with a shortcut. Here an embedding is one linear layer.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from keras import ops

from biggan_tf.conditions.config import InfoMaxConfig
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import LinearLayer
from biggan_tf.contracts.game import Round
from biggan_tf.layers.condition_heads import IMAGE_EMBEDDING, PLACE_EMBEDDINGS, PlacesHead
from biggan_tf.ops.cosines import gathered, other_rows
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import num_replicas
from biggan_tf.types import DType, Embeddings, Scalar, Scalars, Tensor

# The product that stands for those of an image with its own other places, as in the authors' code.
_OWN_PLACE = -10.0


class InfoMaxCondition:
    """D of real images and G of its fakes keep in D's features what the places of the image look like.

    Classes enter as with projection.

    Args:
        config: Its numbers.
    """

    def __init__(self, config: InfoMaxConfig):
        self.config = config

    def head(self, num_classes: int, linear: LinearLayer, dtype: DType) -> PlacesHead:
        """A linear layer from features, and one from each place of the feature map."""
        del num_classes
        return PlacesHead(self.config.embedding_dim, linear, name="condition_head", dtype=dtype)

    def discriminator_term(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_D = ... + weight loss(real images)."""
        del round_, fake
        return _term(real, self.config.weight, "d")

    def generator_term(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_G = ... + generator_weight loss(fakes)."""
        del round_
        return _term(fake, self.config.generator_weight, "g")


def places_of_images(places: Float[Tensor, "N P E"], images: Embeddings) -> Scalar:
    """The mean of l_ip below over the places p of this replica's images i (arXiv:2007.04589, equation 5).

    Args:
        places: c_ip, the embeddings of an image's places.
        images: e_i, the embeddings of the images.
    """
    count, num_places, dim = places.shape
    own, images = widen(places), widen(images)
    (everyone,) = gathered(ops.reshape(own, (count, num_places * dim)))
    everywhere = ops.reshape(everyone, (-1, dim))
    products = ops.matmul(images, ops.transpose(everywhere))
    others = ops.repeat(other_rows(count), num_places, axis=1)
    # l_ip = -log [exp(c_ip e_i) / (exp(c_ip e_i) + sum_q exp(-10) + sum_{j != i, q} exp(c_jq e_i))]
    other_places = ops.logsumexp(ops.where(others, products, ops.full_like(products, _OWN_PLACE)), axis=1)
    right = ops.sum(own * images[:, None], axis=2)
    return ops.mean(ops.logaddexp(right, other_places[:, None]) - right)


def _term(judged: JudgedBatch, weight: float, network: str) -> tuple[Scalar, Scalars]:
    """The weighted loss of a batch, and what is reported of it."""
    places = judged.judgement.heads[PLACE_EMBEDDINGS]
    loss = places_of_images(places, judged.judgement.heads[IMAGE_EMBEDDING])
    # I >= log(candidates) - loss (arXiv:1807.03748, section 2.3): the place itself and those of all other images.
    candidates = 1 + (num_replicas() * places.shape[0] - 1) * places.shape[1]
    scalars = {f"{network}_places": loss, f"{network}_place_information": math.log(candidates) - loss}
    return weight * loss, scalars
