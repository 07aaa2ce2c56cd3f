import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations import differentiable
from biggan_tf.augmentations.config import TRANSFORMATIONS, DifferentiableConfig
from biggan_tf.config import Config
from biggan_tf.training.round import ReplicaRandom
from tests.two_replicas import two_replicas

IMAGES = tf.constant(np.random.default_rng(0).uniform(-1, 1, (6, 16, 16, 3)), tf.float64)
KEYS = [tf.constant([3, 4], tf.int64)]


class Given:
    """The numbers of a test in the place of random ones."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def uniform(self, *shape):
        return tf.fill([6, *shape], tf.constant(self.numbers.pop(0), tf.float32))

    normal = uniform


def test_color_changes_brightness_saturation_and_contrast():
    brightness, saturation, contrast = 0.75, 0.25, 0.9
    x = IMAGES.numpy() + (brightness - 0.5)
    grey = x.mean(axis=3, keepdims=True)
    x = grey + (x - grey) * (2 * np.float32(saturation))
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    expected = mean + (x - mean) * (np.float32(contrast) + 0.5)
    got = differentiable.color(IMAGES, Given(brightness, saturation, contrast))
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(("down", "right"), [(0.0, 0.0), (0.99, 0.99), (0.5, 0.99), (0.5, 0.5)])
def test_translation_shifts_by_whole_pixels_and_fills_with_zero(down, right):
    rows, columns = (min(int(number * 5), 4) - 2 for number in (down, right))
    expected = np.zeros(IMAGES.shape)
    for i in range(16):
        for j in range(16):
            if 0 <= i - rows < 16 and 0 <= j - columns < 16:
                expected[:, i, j] = IMAGES.numpy()[:, i - rows, j - columns]
    np.testing.assert_allclose(differentiable.translation(IMAGES, Given(down, right)), expected, rtol=0, atol=1e-15)


def test_cutout_blanks_a_square_of_half_the_height_and_keeps_the_rest():
    got = differentiable.cutout(IMAGES, Given(0.5, 0.25)).numpy()
    expected = IMAGES.numpy().copy()
    expected[:, 8 - 4 : 8 + 4, 4 - 4 : 4 + 4] = 0
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_gradient_is_the_slope(name):
    augmentation = DifferentiableConfig((name,)).build()
    weights = tf.constant(np.random.default_rng(1).standard_normal(IMAGES.shape))
    with tf.GradientTape() as tape:
        tape.watch(IMAGES)
        value = tf.reduce_sum(weights * augmentation(IMAGES, ReplicaRandom(KEYS, [6])))
    direction = tf.constant(np.random.default_rng(2).standard_normal(IMAGES.shape))
    slope = float(tf.reduce_sum(tape.gradient(value, IMAGES) * direction))
    up, down = (
        float(tf.reduce_sum(weights * augmentation(IMAGES + step * direction, ReplicaRandom(KEYS, [6]))))
        for step in (1e-4, -1e-4)
    )
    assert (up - down) / 2e-4 == pytest.approx(slope, rel=1e-6)


def test_rows_are_changed_in_ways_of_their_own_and_again_the_same_by_the_same_key():
    one = tf.repeat(IMAGES[:1], 6, axis=0)
    augmentation = DifferentiableConfig().build()
    first, second = (augmentation(one, ReplicaRandom(KEYS, [6])).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len({row.tobytes() for row in first}) == 6
    other = augmentation(one, ReplicaRandom([KEYS[0] + 1], [6])).numpy()
    assert not np.array_equal(first, other)


def test_two_replicas_draw_what_one_draws():
    strategy = two_replicas()
    halves = strategy.run(lambda: ReplicaRandom(KEYS, [3]).uniform(2))
    both = np.concatenate([value.numpy() for value in strategy.experimental_local_results(halves)])
    np.testing.assert_array_equal(both, ReplicaRandom(KEYS, [6]).uniform(2))


def test_transformations_are_applied_in_the_order_given_and_as_often_as_given():
    augmentation = DifferentiableConfig(("translation", "color", "color")).build()
    got = augmentation(IMAGES, Given(0.99, 0.5, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    expected = differentiable.translation(IMAGES, Given(0.99, 0.5))
    for numbers in ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)):
        expected = differentiable.color(expected, Given(*numbers))
    np.testing.assert_array_equal(got, expected)


def test_an_unknown_transformation_is_named():
    config = Config(augmentation=DifferentiableConfig(("colour",)))
    assert any("did you mean color" in problem for problem in config.problems())
