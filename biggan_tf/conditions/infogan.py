"""InfoGAN: D guesses the codes that a fake was drawn from (Chen et al. 2016, arXiv:1606.03657, equation 5)."""

from __future__ import annotations

import math

from jaxtyping import Float
from keras import ops

from biggan_tf.conditions.config import InfoGANConfig
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import LinearLayer
from biggan_tf.contracts.game import Round
from biggan_tf.layers.condition_heads import CODES, LinearHead
from biggan_tf.ops.precision import widen
from biggan_tf.types import DType, Latents, Scalar, Scalars, Tensor

NORMAL_ENTROPY = 0.5 * math.log(2.0 * math.pi * math.e)  # of N(0, 1), in nats


class InfoGANCondition:
    """Both networks raise a lower bound of the information that an image has of its codes: L - weight bound.

    The codes are the first values of z. A categorical code of K classes stands in the place of K values: G is given a
    one-hot vector whose 1 is at the largest of them. The K values are independent and alike, so all classes are equally
    likely, also where latents are truncated. Normal codes are values of z as they are.

    Args:
        config: Its numbers.
    """

    def __init__(self, config: InfoGANConfig):
        self.config = config

    def head(self, num_classes: int, linear: LinearLayer, dtype: DType) -> LinearHead:
        """A linear layer from features to logits of categorical codes, and means and log-variances of normal ones."""
        del num_classes
        codes = linear(self.config.num_outputs, True, "linear")
        return LinearHead({CODES: codes}, name="condition_head", dtype=dtype)

    def codes_to_latents(self, z: Latents) -> Latents:
        """What G is given in the place of z: with one-hot categorical codes, which a second call leaves as they are."""
        parts, start = [], 0
        for size in self.config.categories:
            chosen = ops.argmax(z[:, start : start + size], axis=1)
            parts.append(ops.one_hot(chosen, size, dtype=z.dtype))
            start += size
        return ops.concatenate([*parts, z[:, start:]], axis=1)

    def discriminator_term(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_D = ... - weight bound(fakes)."""
        del real
        bound = self._bound(round_, fake)
        return -self.config.weight * bound, {"d_information": bound}

    def generator_term(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_G = ... - weight bound(fakes)."""
        bound = self._bound(round_, fake)
        return -self.config.weight * bound, {"g_information": bound}

    def _bound(self, round_: Round, fake: JudgedBatch) -> Scalar:
        """L_I = H(c) + E[log Q(c | G(z, c))] <= I(c; G(z, c)), in nats."""
        config, answers = self.config, fake.judgement.heads[CODES]
        z = ops.cast(round_.latents(), answers.dtype)
        bound, start = ops.zeros_like(answers[:, 0]), 0
        for size in config.categories:
            part = slice(start, start + size)
            log_shares = ops.log_softmax(answers[:, part], axis=1)
            drawn = ops.one_hot(ops.argmax(z[:, part], axis=1), size, dtype=answers.dtype)
            bound = bound + math.log(size) + ops.sum(drawn * log_shares, axis=1)
            start += size
        if config.normal_codes:
            codes = z[:, start : start + config.normal_codes]
            mean, log_variance = ops.split(answers[:, start:], 2, axis=1)
            surprise = normal_surprise(codes, mean, ops.exp(log_variance))
            bound = bound + config.normal_codes * NORMAL_ENTROPY - surprise
        return ops.mean(bound)


def normal_surprise(
    codes: Float[Tensor, "N K"], mean: Float[Tensor, "N K"], variance: Float[Tensor, "N K"]
) -> Float[Tensor, " N"]:
    """-log N(c; m, v) summed over the codes of each row, with StudioGAN's guards against a variance of 0.

    Args:
        codes: c, the codes that were drawn.
        mean: m, what they are guessed to be.
        variance: v, how sure the guess is.
    """
    codes, mean, variance = widen(codes), widen(mean), widen(variance)
    # -log N = log(2 pi v + 1e-6) / 2 + (c - m)^2 / (2 v + 1e-6)
    terms = 0.5 * ops.log(2.0 * math.pi * variance + 1e-6) + ops.square(codes - mean) / (2.0 * variance + 1e-6)
    return ops.sum(terms, axis=1)
