"""The pipe of transforms with a probability that rises as images are seen, as R3GAN's does (arXiv:2501.05441)."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from biggan_tf.augmentations.config import ScheduledConfig
from biggan_tf.augmentations.pipe import AugmentationPipe
from biggan_tf.contracts.augmentation import RowRandom
from biggan_tf.ops.cosine_schedule import cosine_schedule
from biggan_tf.types import Count, Images, Scalar, Scalars


class ScheduledAugmentation:
    """Augments with a probability that rises from 0 along half a cosine, whatever D answers.

    Args:
        config: Its numbers.

    Attributes:
        probability: The pipe's probability in the next step, a number from 0 to 1.
    """

    def __init__(self, config: ScheduledConfig):
        self.config = config
        self._pipe = AugmentationPipe(config.shares)
        # Each replica computes it for itself, and all alike.
        self.probability = keras.Variable(
            0.0,
            dtype="float32",
            trainable=False,
            name="probability",
            aggregation="only_first_replica",
            autocast=False,
        )

    def __call__(self, images: Images, random: RowRandom) -> Images:
        return self._pipe(images, random, self.probability)

    def observe(self, real_sign: Scalar, rows: int) -> None:
        """Does nothing: the probability does not depend on D."""

    def end_step(self, steps_done: Count, images_seen: Count, images_per_step: int) -> Scalars:
        """Moves the probability p to that of the next step; returns it, by name.

        Args:
            steps_done: How many steps have been done; p does not depend on it.
            images_seen: n, how many real images D has been trained on, those of this step included.
            images_per_step: How many real images D sees in a step at present; p does not depend on it.
        """
        config = self.config
        # p = (1 - cos(pi n / T)) / 2 p_final
        probability = cosine_schedule(0.0, config.final_probability, images_seen, config.schedule_images)
        self.probability.assign(probability)
        return {"augmentation_probability": probability}

    def state(self) -> Mapping[str, keras.Variable]:
        """The probability."""
        return {"probability": self.probability}
