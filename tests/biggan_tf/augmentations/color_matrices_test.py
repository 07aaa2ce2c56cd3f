"""The color transforms of ADA against single maps of a color."""

import math

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations.color_matrices import change_colors
from biggan_tf.augmentations.gated_draws import GatedDraws
from tests.biggan_tf.augmentations.given_draws import PASSED, Given, only

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 3))
GREY = IMAGES.mean(axis=3, keepdims=True)


def turned(colors, angle):
    """Rodrigues' rotation about (1, 1, 1)."""
    axis = np.ones(3) / math.sqrt(3)
    along = (colors @ axis)[..., None] * axis
    return along + math.cos(angle) * (colors - along) + math.sin(angle) * np.cross(axis, colors)


CHANGES = [
    (0.7, lambda x: x + 0.14),
    (0.7, lambda x: x * 2**0.35),
    (0.7, lambda x: x - 2 * GREY),
    (0.7, lambda x: turned(x, 0.4 * math.pi)),
    (0.7, lambda x: GREY + (x - GREY) * 2**0.7),
]


@pytest.mark.parametrize("position", range(5))
def test_each_change_is_the_papers(position):
    parameter, change = CHANGES[position]
    draws = GatedDraws(only(2, position, parameter, 5), 1.0, "float64")
    np.testing.assert_allclose(change_colors(tf.constant(IMAGES), draws), change(IMAGES), atol=1e-12)


def test_changes_follow_each_other():
    draws = GatedDraws(Given(2, *[0.7, PASSED] * 5), 1.0, "float64")
    colors = (IMAGES + 0.14) * 2**0.35
    colors = turned(colors - 2 * colors.mean(axis=3, keepdims=True), 0.4 * math.pi)
    grey = colors.mean(axis=3, keepdims=True)
    expected = grey + (colors - grey) * 2**0.7
    np.testing.assert_allclose(change_colors(tf.constant(IMAGES), draws), expected, atol=1e-12)
