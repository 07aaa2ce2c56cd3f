"""Adaptive discriminator augmentation, ADA (Karras et al. 2020, arXiv:2006.06676)."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from biggan_tf.augmentations.config import AdaptiveConfig
from biggan_tf.augmentations.pipe import AugmentationPipe
from biggan_tf.contracts.augmentation import RowRandom
from biggan_tf.types import Count, Images, Scalar, Scalars


class AdaptiveAugmentation:
    """Augments with a probability p that rises while D is too sure of real images, and falls while it is not.

    A D that knows its few images by heart gives nearly all of them positive logits. How sure it is, r_t, is the mean of
    sign D(x) over the real images of all phases since p was last adjusted (section 3.1).

    Args:
        config: Its numbers.

    Attributes:
        probability: p, a number from 0 to 1.
    """

    def __init__(self, config: AdaptiveConfig):
        self.config = config
        self._pipe = AugmentationPipe(dict.fromkeys(config.groups, 1.0))
        self.probability = _variable("probability", config.fixed_probability or 0.0)
        self._sign_sum = _variable("sign_sum")
        self._sign_count = _variable("sign_count")

    def __call__(self, images: Images, random: RowRandom) -> Images:
        return self._pipe(images, random, self.probability)

    def observe(self, real_sign: Scalar, rows: int) -> None:
        """Adds the signs of D's answers to the real images of one phase.

        Args:
            real_sign: Their mean over all micro-batches and replicas.
            rows: How many there were.
        """
        if self.config.fixed_probability is not None:
            return
        # The sum of signs is a whole number. Rounded to it, it does not depend on the order of the mean's sum, nor on
        # the number of replicas.
        self._sign_sum.assign_add(ops.round(ops.cast(real_sign, "float32") * rows))
        self._sign_count.assign_add(float(rows))

    def end_step(self, steps_done: Count, images_seen: Count, images_per_step: int) -> Scalars:
        """Adjusts p where that is due; returns p, by name.

        Args:
            steps_done: How many steps have been done, this one included.
            images_seen: How many real images D has been trained on; p does not depend on it.
            images_per_step: How many real images D sees in a step at present.
        """
        config = self.config
        probability = ops.convert_to_tensor(self.probability)
        if config.fixed_probability is None:
            total, count = ops.convert_to_tensor(self._sign_sum), ops.convert_to_tensor(self._sign_count)
            is_due = ops.cast(steps_done, "int32") % config.every_steps == 0
            # p <- p + sign(r_t - target) * (every_steps * images per step) / adjustment_images
            # The authors bound p below alone. Above 1 it would change nothing, and only take time to come back from.
            change = config.every_steps * images_per_step / config.adjustment_images
            adjusted = ops.clip(probability + change * ops.sign(total - config.target * count), 0.0, 1.0)
            probability = ops.where(is_due, adjusted, probability)
            self.probability.assign(probability)
            self._sign_sum.assign(ops.where(is_due, ops.zeros_like(total), total))
            self._sign_count.assign(ops.where(is_due, ops.zeros_like(count), count))
        return {"augmentation_probability": probability}

    def state(self) -> Mapping[str, keras.Variable]:
        """The probability, and what it is next adjusted by; nothing if it is fixed."""
        if self.config.fixed_probability is not None:
            return {}
        return {"probability": self.probability, "sign_sum": self._sign_sum, "sign_count": self._sign_count}


def _variable(name: str, value: float = 0.0) -> keras.Variable:
    """A number that each replica computes for itself, and all alike."""
    return keras.Variable(
        value, dtype="float32", trainable=False, name=name, aggregation="only_first_replica", autocast=False
    )
