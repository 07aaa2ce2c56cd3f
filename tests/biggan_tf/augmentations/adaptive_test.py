"""How ADA steers its probability."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations.config import AdaptiveConfig
from biggan_tf.config import Config, from_dict, to_dict
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny


def steered(augmentation, signs, images_per_step=8):
    """The probability after each step, in which D's answers to 8 images and those of a lazy phase had mean signs."""
    probabilities = []
    for number, sign in enumerate(signs):
        augmentation.observe(tf.constant(float(sign)), 8)
        steps_done = tf.constant(number + 1, tf.int64)
        report = augmentation.end_step(steps_done, steps_done * images_per_step, images_per_step)
        probabilities.append(float(report["augmentation_probability"]))
    return probabilities


def test_the_probability_is_moved_by_its_speed_every_four_steps():
    augmentation = AdaptiveConfig(adjustment_images=320).build()
    # Means of 4: 0.75, above 0.6; 0.5, below it; 1.0 twice.
    signs = [1, 1, 1, 0, 0.5, 0.5, 0.5, 0.5, *[1] * 8]
    expected = np.repeat([0.0, 0.1, 0.0, 0.1, 0.2], 4)[1:]  # 4 steps of 8 images are a tenth of 320
    np.testing.assert_allclose(steered(augmentation, signs), expected[: len(signs)], atol=1e-7)


def test_the_probability_stays_between_0_and_1():
    augmentation = AdaptiveConfig(adjustment_images=16, every_steps=1).build()
    assert steered(augmentation, [-1, 1, 1, 1, -1]) == [0.0, 0.5, 1.0, 1.0, 0.5]


def test_it_rests_at_the_target():
    augmentation = AdaptiveConfig(target=0.5, every_steps=1).build()
    assert steered(augmentation, [0.5, 0.5]) == [0.0, 0.0]


def test_phases_weigh_by_their_images():
    augmentation = AdaptiveConfig(every_steps=1, adjustment_images=80).build()
    augmentation.observe(tf.constant(1.0), 24)
    # (24 + 8 * 0) / 32 = 0.75
    assert steered(augmentation, [0.0]) == [pytest.approx(0.1)]


def test_the_mean_may_be_rounded_in_any_way():
    for sign in (0.6, np.nextafter(np.float32(0.6), np.float32(0)), np.nextafter(np.float32(0.6), np.float32(1))):
        augmentation = AdaptiveConfig(every_steps=1).build()
        augmentation.observe(tf.constant(sign, tf.float32), 10)
        assert float(augmentation.state()["sign_sum"]) == 6.0


def test_a_fixed_probability_has_no_state():
    augmentation = AdaptiveConfig(fixed_probability=0.3).build()
    assert steered(augmentation, [1] * 8) == [pytest.approx(0.3)] * 8
    assert augmentation.state() == {}


def test_the_configuration_comes_back_from_json_and_finds_its_mistakes():
    config = Config(augmentation=AdaptiveConfig("bg", fixed_probability=0.2))
    assert from_dict(Config, to_dict(config)) == config
    assert config.problems() == []
    wrong = Config(augmentation=AdaptiveConfig("bgx", target=1.0, every_steps=0, fixed_probability=1.5))
    problems = " ".join(wrong.problems())
    assert "did you mean bg" in problems
    for name in ("target", "every_steps", "fixed_probability"):
        assert f"augmentation.{name} must" in problems
    assert "Received: 1.5; give such a number, or leave it out." in problems


def test_the_probability_is_saved_with_the_model(tmp_path):
    config = tiny.config()
    config.augmentation = AdaptiveConfig("color")
    gan = GAN(config)
    gan.state()["augmentation"]["probability"].assign(0.75)
    gan.compile()
    gan.save(tmp_path / "gan.keras")
    loaded = tf.keras.models.load_model(tmp_path / "gan.keras")
    assert float(loaded.state()["augmentation"]["probability"]) == 0.75
