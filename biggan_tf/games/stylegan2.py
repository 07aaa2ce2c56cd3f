"""StyleGAN2's game (Karras et al. 2020, arXiv:1912.04958, appendix B): non-saturating losses, lazily regularised."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from biggan_tf.contracts.game import Batch, Phase, Round
from biggan_tf.games.config import StyleGAN2GameConfig
from biggan_tf.games.penalties import path_lengths, with_squared_gradient
from biggan_tf.ops.blur import blur
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import mean_over_replicas
from biggan_tf.types import Scalar, Scalars


class StyleGAN2Game:
    """[G, G's path length every 4 steps, D, D's R1 every 16], each phase with latents of its own.

    A phase that comes every k-th step has its loss multiplied by k, and is an update of its own of the same Adam, whose
    numbers `GameConfig.lazy_interval` corrects. R1 takes the real images that D has just been trained on.

    Args:
        config: Its numbers.

    Attributes:
        mean_length: The running mean of path lengths, which those of new images are compared with.
    """

    def __init__(self, config: StyleGAN2GameConfig):
        self.config = config
        # Always float64: it moves by small steps, and costs nothing.
        self.mean_length = keras.Variable(
            0.0, dtype="float64", trainable=False, name="mean_path_length", aggregation="mean", autocast=False
        )

    def phases(self) -> list[Phase]:
        """The phases of a step."""
        config = self.config
        phases = [Phase("generator", self.generator_loss, reads_data=False)]
        if config.path_length_weight:
            phases.append(
                Phase(
                    "generator",
                    self.path_length_loss,
                    name="path",
                    every=config.path_length_every,
                    reads_data=False,
                    batch_share=config.path_length_share,
                )
            )
        phases.append(Phase("discriminator", self.discriminator_loss))
        if config.r1_gamma:
            phases.append(Phase("discriminator", self.r1_loss, name="r1", every=config.r1_every, same_data=True))
        return phases

    def state(self) -> Mapping[str, keras.Variable]:
        """The running mean of path lengths."""
        return {"mean_path_length": self.mean_length}

    def generator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss: L_G = E[softplus(-D(G(z)))]."""
        # The running mean of w, and what else moves in training, moves in D's phase alone, as in the authors' code.
        fakes = round_.synthesise(round_.styles(self.config.style_mixing, moves_state=False), moves_state=False)
        (judgement,) = round_.discriminate(self.blurred(round_, fakes))
        return ops.mean(ops.softplus(-widen(judgement.logits))), {}

    def path_length_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """How far the lengths of J^T y are from their running mean a: weight * E[(length - a)^2], equation 4."""
        lengths = path_lengths(round_, round_.styles(self.config.style_mixing, moves_state=False))
        # a <- a + decay (mean length - a); the gradient passes through the new a, as in the authors' code.
        before = ops.cast(self.mean_length, lengths.dtype)
        mean = before + self.config.path_length_decay * (mean_over_replicas(ops.mean(lengths)) - before)
        finite = ops.cast(ops.stop_gradient(mean), "float64")
        self.mean_length.assign(ops.where(ops.isfinite(finite), finite, ops.convert_to_tensor(self.mean_length)))
        penalty = ops.mean(ops.square(lengths - mean))
        loss = self.config.path_length_every * self.config.path_length_weight * penalty
        return loss, {"path_length": ops.mean(lengths), "path_length_penalty": penalty}

    def discriminator_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """D's loss: L_D = E[softplus(D(G(z)))] + E[softplus(-D(x))]."""
        fakes = self.blurred(round_, round_.synthesise(round_.styles(self.config.style_mixing)))
        reals = self.blurred(round_, round_.real_batch())
        fake, real = (widen(judgement.logits) for judgement in round_.discriminate(fakes, reals))
        loss = ops.mean(ops.softplus(fake)) + ops.mean(ops.softplus(-real))
        return loss, {"d_real": ops.mean(real), "d_fake": ops.mean(fake)}

    def r1_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """R1 = gamma / 2 E[|dD(x)/dx|^2] (Mescheder et al. 2018, arXiv:1801.04406, equation 9)."""
        _, squared = with_squared_gradient(
            round_, round_.real_batch(), change=lambda batch: self.blurred(round_, batch)
        )
        penalty = ops.mean(squared)
        return self.config.r1_every * self.config.r1_gamma / 2 * penalty, {"r1": penalty}

    def blurred(self, round_: Round, batch: Batch) -> Batch:
        """What D sees of a batch: sigma = blur_sigma max(1 - images seen / blur_fade_images, 0)."""
        config = self.config
        if not config.blur_sigma:
            return batch
        # R1 comes after D's main phase, which has counted its images: its blur is one batch further than the authors'.
        share = ops.cast(round_.images_seen, "float64") / config.blur_fade_images
        sigma = config.blur_sigma * ops.maximum(1.0 - share, 0.0)
        return batch._replace(images=blur(batch.images, sigma, config.blur_sigma))
