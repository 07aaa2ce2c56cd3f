"""Schedules in images seen, which stay right when the batch size changes."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from biggan_tf.config import OptimizerConfig, TrainingConfig


def learning_rate(config: OptimizerConfig, images_seen: Any) -> Any:
    """Linear warm-up from 0, then a tenth after each of `decay_images`.

    Args:
        config: Of one optimizer.
        images_seen: Scalar integer tensor.
    """
    images = tf.cast(images_seen, tf.float32)
    rate = tf.constant(config.learning_rate, tf.float32)
    if config.warmup_images:
        rate *= tf.minimum(1.0, images / config.warmup_images)
    for boundary in config.decay_images:
        rate *= tf.where(images >= boundary, 0.1, 1.0)
    return rate


def ema_decay(config: TrainingConfig, steps_done: Any, images_seen: Any) -> Any:
    """Share of the old average that an update keeps; 0 before `ema_start_step`, so that the copy equals the weights.

    Args:
        config: Gives the decay, or a half-life in images with or without warm-up (arXiv:2006.06676's code: the
            half-life is at most a share of the images seen).
        steps_done: G steps, this one included.
        images_seen: Real images that D has seen, this step's included.
    """
    decay = tf.constant(config.ema_decay, tf.float32)
    if config.ema_half_life_images:
        half_life = tf.constant(float(config.ema_half_life_images))
        if config.ema_warmup_ratio:
            half_life = tf.minimum(half_life, config.ema_warmup_ratio * tf.cast(images_seen, tf.float32))
        images_per_step = config.batch_size * config.discriminator_steps
        decay = tf.pow(0.5, images_per_step / tf.maximum(half_life, 1e-8))
    return tf.where(steps_done > config.ema_start_step, decay, 0.0)
