"""Schedules in images seen, which stay right when the batch size changes."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from biggan_tf.config import OptimizerConfig, TrainingConfig


def learning_rate(config: OptimizerConfig, images_seen: Any, dtype: Any = tf.float32) -> Any:
    """Linear warm-up from 0, then a tenth after each of `decay_images`.

    Args:
        config: Of one optimizer.
        images_seen: Scalar integer tensor.
        dtype: Of the result; the weights' own.
    """
    images = tf.cast(images_seen, dtype)
    rate = tf.constant(config.learning_rate, dtype)
    if config.warmup_images:
        rate *= tf.minimum(images / config.warmup_images, 1.0)
    for boundary in config.decay_images:
        rate *= tf.where(images >= boundary, tf.constant(0.1, dtype), tf.constant(1.0, dtype))
    return rate


def ema_decay(config: TrainingConfig, steps_done: Any, images_seen: Any, dtype: Any = tf.float32) -> Any:
    """Share of the old average that an update keeps; 0 before `ema_start_step`, so that the copy equals the weights.

    Args:
        config: Gives the decay, or a half-life in images with or without warm-up (arXiv:2006.06676's code: the
            half-life is at most a share of the images seen).
        steps_done: G steps, this one included.
        images_seen: Real images that D has seen, this step's included.
        dtype: Of the result; the weights' own.
    """
    decay = tf.constant(config.ema_decay, dtype)
    if config.ema_half_life_images:
        half_life = tf.constant(float(config.ema_half_life_images), dtype)
        if config.ema_warmup_ratio:
            half_life = tf.minimum(half_life, config.ema_warmup_ratio * tf.cast(images_seen, dtype))
        images_per_step = config.batch_size * config.discriminator_steps
        decay = tf.pow(tf.constant(0.5, dtype), images_per_step / tf.maximum(half_life, 1e-8))
    return tf.where(steps_done > config.ema_start_step, decay, tf.zeros_like(decay))
