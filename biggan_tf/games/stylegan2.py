"""StyleGAN2's game (Karras et al. 2020, arXiv:1912.04958, appendix B): non-saturating losses, lazily regularised."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from biggan_tf.contracts.game import Batch, Phase, Round
from biggan_tf.games.config import StyleGAN2GameConfig
from biggan_tf.games.non_saturating import NonSaturatingGame
from biggan_tf.games.penalties import path_lengths, with_squared_gradient
from biggan_tf.ops.blur import blur
from biggan_tf.ops.replicas import mean_over_replicas
from biggan_tf.types import LabelsOrImages, Scalar, Scalars


class StyleGAN2Game(NonSaturatingGame):
    """[G, G's path length every 4 steps, D, D's R1 every 16], each phase with latents of its own.

    A phase that comes every k-th step is an update of its own of the same Adam, whose numbers
    `GameConfig.lazy_interval` corrects. Its loss is multiplied by k n, where n is how many main updates of the network
    a step has, 1 in the paper: it stands for k n of them. R1 takes the real images of D's last update.

    Args:
        config: Its numbers.

    Attributes:
        mean_length: The running mean of path lengths, which those of new images are compared with.
    """

    config: StyleGAN2GameConfig

    def __init__(self, config: StyleGAN2GameConfig):
        super().__init__(config)
        # Always float64: it moves by small steps, and costs nothing.
        self.mean_length = keras.Variable(
            0.0, dtype="float64", trainable=False, name="mean_path_length", aggregation="mean", autocast=False
        )

    def phases(self) -> list[Phase]:
        """The phases of a step; the penalties that any game can take come last."""
        config = self.config
        phases = self.generator_phases()
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
        main, *lazy = self.discriminator_phases()
        phases.append(main)
        if config.r1_gamma:
            phases.append(Phase("discriminator", self.r1_loss, name="r1", every=config.r1_every, same_data=True))
        return [*phases, *lazy]

    def state(self) -> Mapping[str, keras.Variable]:
        """The running mean of path lengths, and the variables of the penalties."""
        return {"mean_path_length": self.mean_length, **super().state()}

    def fakes(
        self,
        round_: Round,
        labels: LabelsOrImages | None = None,
        latent_noise: float = 0.0,
        moves_state: bool = True,
    ) -> Batch:
        """Fakes of mixed styles; `labels` must be None.

        The running mean of w, and what else moves in training, moves in D's main phase alone, as in the authors' code.
        """
        styles = round_.styles(self.config.style_mixing, moves_state, latent_noise)
        fakes = round_.synthesise(styles, moves_state)
        # Fakes of other latents are not those of the round.
        return Batch(*fakes) if latent_noise else fakes

    def path_length_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """How far the lengths of J^T y are from their running mean a: weight * E[(length - a)^2], equation 4."""
        config = self.config
        lengths = path_lengths(round_, round_.styles(config.style_mixing, moves_state=False))
        # a <- a + decay (mean length - a); the gradient passes through the new a, as in the authors' code.
        before = ops.cast(self.mean_length, lengths.dtype)
        mean = before + config.path_length_decay * (mean_over_replicas(ops.mean(lengths)) - before)
        finite = ops.cast(ops.stop_gradient(mean), "float64")
        self.mean_length.assign(ops.where(ops.isfinite(finite), finite, ops.convert_to_tensor(self.mean_length)))
        penalty = ops.mean(ops.square(lengths - mean))
        loss = config.path_length_every * config.generator_steps * config.path_length_weight * penalty
        return loss, {"path_length": ops.mean(lengths), "path_length_penalty": penalty}

    def r1_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """R1 = gamma / 2 E[|dD(x)/dx|^2] (Mescheder et al. 2018, arXiv:1801.04406, equation 9)."""
        config = self.config
        _, squared = with_squared_gradient(round_, round_.real_batch(), change=lambda batch: self.shown(round_, batch))
        penalty = ops.mean(squared)
        return config.r1_every * config.discriminator_steps * config.r1_gamma / 2 * penalty, {"r1": penalty}

    def shown(self, round_: Round, batch: Batch) -> Batch:
        """What D is shown of a batch: sigma = blur_sigma max(1 - images seen / blur_fade_images, 0)."""
        config = self.config
        if not config.blur_sigma:
            return batch
        # R1 comes after D's main phase, which has counted its images: its blur is one batch further than the authors'.
        share = ops.cast(round_.images_seen, "float64") / config.blur_fade_images
        sigma = config.blur_sigma * ops.maximum(1.0 - share, 0.0)
        return batch._replace(images=blur(batch.images, sigma, config.blur_sigma))
