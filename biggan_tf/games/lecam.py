"""LeCam regularisation (Tseng et al. 2021, arXiv:2104.03310): logits stay near those of the other kind of image."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import mean_over_replicas
from biggan_tf.types import Count, Logits, Scalar

# The averages before the first batch, as in StudioGAN. The first mean that is finite replaces it.
_INITIAL = 7777.0


def lecam_penalty(
    real_logits: Logits, fake_logits: Logits, average_real: Scalar | float, average_fake: Scalar | float
) -> Scalar:
    """Computes E[relu(D(x) - a_F)^2] + E[relu(a_R - D(G(z)))^2], as StudioGAN does it (equation 3 has no relu).

    Args:
        real_logits: D's logits of real images.
        fake_logits: D's logits of fakes.
        average_real: a_R, the moving average of logits of real images.
        average_fake: a_F, that of fakes.
    """
    real, fake = widen(real_logits), widen(fake_logits)
    of_real = ops.mean(ops.square(ops.relu(real - average_fake)))
    return of_real + ops.mean(ops.square(ops.relu(average_real - fake)))


class LogitAverages:
    """The moving averages of D's mean logits, which the penalty compares with.

    Args:
        config: Gives their decay, and from how many images on they are averages and the penalty is taken.

    Attributes:
        real: The moving average of D's mean logit of real images.
        fake: The moving average of D's mean logit of fakes.
    """

    def __init__(self, config: PenaltiesConfig):
        self._config = config
        # Always float64: they move by small steps, and cost nothing.
        self.real, self.fake = (
            keras.Variable(_INITIAL, dtype="float64", trainable=False, name=name, aggregation="mean", autocast=False)
            for name in ("lecam_average_real", "lecam_average_fake")
        )

    def state(self) -> Mapping[str, keras.Variable]:
        """Both averages."""
        return {"lecam_average_real": self.real, "lecam_average_fake": self.fake}

    def penalty(self, real_logits: Logits, fake_logits: Logits, images_seen: Count | int) -> Scalar:
        """Moves the averages to the new logits, and then takes the penalty.

        Args:
            real_logits: D's logits of real images.
            fake_logits: D's logits of fakes.
            images_seen: How many real images the discriminator has seen. Up to the start the averages are the latest
                means, and the penalty is 0. Where the first call comes behind the start, its means are the averages.
        """
        start = self._config.lecam_start_images
        averages = []
        for variable, logits in ((self.real, real_logits), (self.fake, fake_logits)):
            mean = ops.cast(mean_over_replicas(ops.mean(ops.stop_gradient(widen(logits)))), "float64")
            # a <- decay a + (1 - decay) mean D
            before = ops.convert_to_tensor(variable)
            is_latest_mean = ops.logical_or(images_seen < start, before == _INITIAL)
            decay = ops.where(is_latest_mean, 0.0, self._config.lecam_decay)
            after = moved(before, mean, ops.cast(decay, "float64"))
            variable.assign(ops.where(ops.isfinite(mean), after, before))
            averages.append(ops.cast(ops.convert_to_tensor(variable), widen(logits).dtype))
        penalty = lecam_penalty(real_logits, fake_logits, *averages)
        return ops.where(images_seen > start, penalty, ops.zeros_like(penalty))


def moved(average: Scalar, value: Scalar, decay: Scalar | float) -> Scalar:
    """A moving average after a new value: decay * average + (1 - decay) * value."""
    return decay * average + (1.0 - decay) * value
