"""Resizing against TensorFlow's and Pillow's."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.families.super_resolution.config import REDUCTIONS
from biggan_tf.ops import resizing

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 12, 8, 3))
# TensorFlow's names of the kernels.
NAMES = {"bilinear": "bilinear", "bicubic": "bicubic", "lanczos": "lanczos3"}


@pytest.mark.parametrize("method", resizing.METHODS)
@pytest.mark.parametrize("size", [(3, 2), (6, 4), (24, 16), (5, 11)])
def test_resizing_equals_tensorflows_with_antialiasing(method, size):
    expected = tf.image.resize(IMAGES, size, NAMES[method], antialias=True)
    np.testing.assert_allclose(resizing.resized(IMAGES, *size, method), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("factor", [2, 4])
def test_reduced_images_are_pillows_to_a_grey_level(factor):
    levels = np.random.default_rng(1).integers(0, 256, (1, 16, 8, 3)).astype(np.uint8)
    expected = Image.fromarray(levels[0]).resize((8 // factor, 16 // factor), Image.Resampling.BICUBIC)
    small = (np.asarray(resizing.reduced(levels / 127.5 - 1.0, factor)) + 1.0) * 127.5
    np.testing.assert_allclose(small, np.rint(small), atol=1e-9)  # levels that a file can hold
    assert np.abs(small[0] - np.asarray(expected)).max() <= 1


def test_a_constant_image_stays_constant_at_its_edges():
    for size in ((3, 2), (48, 32)):
        np.testing.assert_allclose(resizing.resized(np.full_like(IMAGES, 0.3), *size), 0.3, atol=1e-12)


def test_the_configuration_offers_what_there_is():
    assert set(REDUCTIONS) == set(resizing.METHODS)
