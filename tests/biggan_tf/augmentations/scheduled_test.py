"""The probability that follows the images seen."""

import math

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations.config import ScheduledConfig
from biggan_tf.config import Config, from_dict, to_dict
from configs import r3gan_cifar10, r3gan_imagenet_32, r3gan_imagenet_64


def test_the_probability_rises_along_half_a_cosine_and_stays():
    augmentation = ScheduledConfig(final_probability=0.4, schedule_images=80).build()
    assert float(augmentation.probability) == 0.0
    images_seen = 0
    for step in range(1, 14):
        augmentation.observe(tf.constant(1.0), 8)
        images_per_step = 4 if step < 6 else 16  # the batches grow
        images_seen += images_per_step
        report = augmentation.end_step(tf.constant(step, tf.int64), tf.constant(images_seen, tf.int64), images_per_step)
        expected = 0.5 * (1 - math.cos(math.pi * min(images_seen / 80, 1.0))) * 0.4
        np.testing.assert_allclose(report["augmentation_probability"], expected, atol=1e-7)
        np.testing.assert_allclose(augmentation.state()["probability"].value, expected, atol=1e-7)


def test_colors_change_with_half_of_the_probability():
    assert ScheduledConfig().shares == {"blit": 1.0, "geometric": 1.0, "color": 0.5, "cutout": 1.0}


@pytest.mark.parametrize(
    ("recipe", "final"), [(r3gan_cifar10, 0.55), (r3gan_imagenet_32, 0.5), (r3gan_imagenet_64, 0.4)]
)
def test_recipes_of_r3gan_augment_until_their_schedules_end(recipe, final):
    config = recipe.get_config()
    assert config.augmentation.final_probability == final
    assert config.augmentation.schedule_images == config.game.schedule_images
    assert from_dict(Config, to_dict(config)).augmentation == config.augmentation


def test_problems_are_named():
    problems = " ".join(ScheduledConfig("xyz", 2.0, -1.0, 0).problems())
    for part in ("transforms must be one of", "color_share must be from 0", "final_probability must", "at least 1"):
        assert part in problems
