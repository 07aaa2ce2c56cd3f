"""The numbers of Adam and the EMA's decay by the number of images seen, so that they hold for any batch size."""

from __future__ import annotations

import tensorflow as tf

from biggan_tf.config import OptimizerConfig, TrainingConfig
from biggan_tf.ops.cosine_schedule import cosine_schedule
from biggan_tf.types import Count, DType, Scalar


def learning_rate(
    config: OptimizerConfig, images_seen: Count | int, dtype: DType = tf.float32, images_of_update: int = 0
) -> Scalar:
    """The learning rate: rises linearly, stays, and falls to a tenth after each of `decay_images`.

    With a `final_learning_rate` it moves there along half a cosine in the place of staying.

    Args:
        config: The highest rate and the numbers of images at which it changes.
        images_seen: How many real images the discriminator has seen.
        dtype: The dtype of the result, that of the weights; float32 by default.
        images_of_update: How many real images the update itself is about. The warm-up counts them, or the first update
            of all, with a rate of 0, would change nothing. 0 by default.
    """
    images = tf.cast(images_seen, dtype)
    rate = tf.constant(config.learning_rate, dtype)
    if config.final_learning_rate is not None:
        rate = cosine_schedule(
            config.learning_rate, config.final_learning_rate, images_seen, config.schedule_images, dtype
        )
    if config.warmup_images:
        # rate * min((images + images of the update) / warmup_images, 1): the linear warm-up of arXiv:1706.02677,
        # section 2.2.
        rate *= tf.minimum((images + images_of_update) / config.warmup_images, 1.0)
    for boundary in config.decay_images:
        rate *= tf.where(images >= boundary, tf.constant(0.1, dtype), tf.constant(1.0, dtype))
    return rate


def beta_2(config: OptimizerConfig, images_seen: Count | int, dtype: DType = tf.float32) -> Scalar | None:
    """The decay of Adam's second moment, which moves to `final_beta_2` along half a cosine; None: it does not move.

    Args:
        config: The decay at the start and at the end, and after how many images it ends.
        images_seen: How many real images the discriminator has seen.
        dtype: The dtype of the result, that of the weights; float32 by default.
    """
    if config.final_beta_2 is None:
        return None
    return cosine_schedule(config.beta_2, config.final_beta_2, images_seen, config.schedule_images, dtype)


def ema_decay(
    config: TrainingConfig,
    steps_done: Count | int,
    images_seen: Count | int,
    images_per_step: int,
    dtype: DType = tf.float32,
) -> Scalar:
    """The share of its own value that the EMA keeps in an update; 0 before the step `ema_start_step`.

    Args:
        config: Gives the decay itself, or the half-life of a weight in the average as a number of images, and the
            warm-up of that half-life.
        steps_done: How many steps of the game have been done, this one included.
        images_seen: How many real images the discriminator has seen, those of this step included.
        images_per_step: How many real images the discriminator sees in a step.
        dtype: The dtype of the result, that of the weights; float32 by default.
    """
    decay = tf.constant(config.ema_decay, dtype)
    if config.ema_half_life_images:
        half_life = tf.constant(float(config.ema_half_life_images), dtype)
        if not config.ema_warmup_counts_step:
            images_seen = images_seen - images_per_step
        if config.ema_schedule_images:
            # From 0 on along half a cosine, as in R3GAN's code.
            half_life = cosine_schedule(
                0.0, config.ema_half_life_images, images_seen, config.ema_schedule_images, dtype
            )
        if config.ema_warmup_ratio:
            # half_life = min(half_life, ratio * images seen), as in the code of Karras et al. 2020 (arXiv:2006.06676).
            half_life = tf.minimum(half_life, config.ema_warmup_ratio * tf.cast(images_seen, dtype))
        # decay = 0.5 ^ (images per step / half-life), from the same code.
        decay = tf.pow(tf.constant(0.5, dtype), images_per_step / tf.maximum(half_life, 1e-8))
    return tf.where(steps_done >= config.ema_start_step, decay, tf.zeros_like(decay))
