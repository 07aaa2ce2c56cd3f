"""The small GANs that studies train."""

import numpy as np

from biggan_tf.studies import small_training


def test_the_pictures_are_images_and_differ():
    images = small_training.drawn_images(np.random.default_rng(0), 50)
    assert images.shape == (50, 8, 8, 3)
    assert images.min() >= -1
    assert images.max() <= 1
    assert images.std(axis=0).min() > 0.05


def test_the_same_training_is_done_once_and_depends_on_its_seed():
    first = small_training.trained(0, "small")
    assert small_training.trained(0, "small") is first
    other = small_training.trained(1, "small")
    kernels = [np.asarray(network.generator.weights[0]) for network in (first, other)]
    assert not np.allclose(*kernels)
