"""The blur that D sees images with, on a D whose gradient is the same everywhere."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch, Round
from biggan_tf.games.config import StyleGAN2GameConfig
from tests.biggan_tf.ops.blur_test import numpy_blur

RANDOM = np.random.default_rng(0)
REALS, FAKES, WEIGHTS = (RANDOM.standard_normal((2, 8, 8, 3)) for _ in range(3))
LABELS = tf.zeros([2], tf.int32)


class LinearRound(Round):
    """A round whose D is the product of an image with weights."""

    def __init__(self, images_seen):
        self.key, self.images_seen = tf.zeros([2], tf.int64), tf.constant(images_seen, tf.int64)
        self.seen = []

    def real_batch(self):
        return Batch(tf.constant(REALS), LABELS)

    def styles(self, mixing=0.0, moves_state=True, latent_noise=0.0):
        return (tf.constant(moves_state),)

    def synthesise(self, styles, moves_state=True):
        # What moves in training moves in the same phase whether it belongs to the styles or to the synthesis.
        assert bool(styles[0]) == moves_state
        return Batch(tf.constant(FAKES), LABELS)

    def random_normal(self, shape):
        raise NotImplementedError

    def random_uniform(self, shape):
        raise NotImplementedError

    def generate(self, labels=None, latent_noise=0.0):
        raise NotImplementedError

    def discriminate(self, *batches):
        self.seen += [batch.images for batch in batches]
        return [Judgement(tf.reduce_sum(b.images * WEIGHTS, axis=[1, 2, 3]), b.images, {}) for b in batches]


@pytest.mark.parametrize(("images_seen", "sigma"), [(0, 2.0), (250, 1.5), (1000, 0.0), (5000, 0.0)])
def test_d_sees_images_blurred_until_enough_were_seen(images_seen, sigma):
    game = StyleGAN2GameConfig(blur_sigma=2.0, blur_fade_images=1000).build()
    round_ = LinearRound(images_seen)
    game.generator_loss(round_)
    game.discriminator_loss(round_)
    for got, images in zip(round_.seen, (FAKES, FAKES, REALS), strict=True):
        np.testing.assert_allclose(got, numpy_blur(images, sigma), atol=1e-6)
    # The filter is symmetric: the gradient at the image in front of the blur is the blurred weights.
    _, scalars = game.r1_loss(round_)
    expected = np.sum(np.square(numpy_blur(WEIGHTS, sigma)), axis=(1, 2, 3)).mean()
    assert float(scalars["r1"]) == pytest.approx(expected, rel=1e-6)


def test_there_is_no_blur_by_default():
    round_ = LinearRound(0)
    StyleGAN2GameConfig().build().discriminator_loss(round_)
    np.testing.assert_array_equal(round_.seen, [FAKES, REALS])
    (problem,) = StyleGAN2GameConfig(blur_sigma=-1.0).problems()
    assert "game.blur_sigma must be at least 0" in problem
