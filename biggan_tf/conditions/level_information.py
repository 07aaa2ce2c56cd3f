"""The information that an image has of each level of a hierarchical latent: D guesses the levels from fakes."""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.conditions.config import LevelInformationConfig
from biggan_tf.conditions.infogan import NORMAL_ENTROPY, normal_surprise
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import LinearLayer
from biggan_tf.contracts.game import Round
from biggan_tf.layers.condition_heads import CODES, LinearHead
from biggan_tf.types import DType, Scalar, Scalars, Tensor


class LevelInformationCondition:
    """Both networks raise a lower bound of what an image tells of each level of its latent.

    No public code has this regulariser, so this is our definition: InfoGAN's bound (arXiv:1606.03657, equation 5) with
    the chunks of a hierarchical z in the place of codes. With c_l, the chunk of level l, of n_l values of N(0, 1), and
    Q, a normal distribution whose means and variances a linear layer of D computes from an image's features,

        L_l = n_l / 2 log(2 pi e) + E[log Q(c_l | G(z))] <= I(c_l; G(z))    in nats,
        L   = L_of_the_game - sum_l weight_l L_l

    A level that G ignores has L_l = 0 at most, so that a weight on it makes G use it. Where z is not split into
    chunks, it is one level.

    Args:
        config: Its numbers.
    """

    def __init__(self, config: LevelInformationConfig):
        self.config = config

    def head(self, num_classes: int, linear: LinearLayer, dtype: DType) -> LinearHead:
        """A linear layer from features to a mean and a log-variance for each value of z."""
        del num_classes
        codes = linear(2 * sum(self.config.sizes), True, "linear")
        return LinearHead({CODES: codes}, name="condition_head", dtype=dtype)

    def discriminator_term(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_D = ... - sum_l weight_l L_l(fakes)."""
        del real
        return self._term(round_, fake, "d")

    def generator_term(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """L_G = ... - sum_l weight_l L_l(fakes)."""
        return self._term(round_, fake, "g")

    def _term(self, round_: Round, fake: JudgedBatch, network: str) -> tuple[Scalar, Scalars]:
        answers = fake.judgement.heads[CODES]
        z = ops.cast(round_.latents(), answers.dtype)
        mean, log_variance = ops.split(answers, 2, axis=1)
        term, scalars, start = ops.zeros_like(answers[0, 0]), {}, 0
        for level, (size, weight) in enumerate(zip(self.config.sizes, self.config.weights, strict=True)):
            part = slice(start, start + size)
            bound = ops.mean(bound_of(z[:, part], mean[:, part], log_variance[:, part]))
            term = term - weight * bound
            scalars[f"{network}_information_{level}"] = bound
            start += size
        return term, scalars


def bound_of(
    chunk: Float[Tensor, "N K"], mean: Float[Tensor, "N K"], log_variance: Float[Tensor, "N K"]
) -> Float[Tensor, " N"]:
    """K / 2 log(2 pi e) + log Q(c), row by row, of which the mean is a bound of the information.

    Args:
        chunk: c, what was drawn of N(0, 1).
        mean: What it is guessed to be.
        log_variance: The logarithm of the variance of the guess.
    """
    return chunk.shape[1] * NORMAL_ENTROPY - normal_surprise(chunk, mean, ops.exp(log_variance))
