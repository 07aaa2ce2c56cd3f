"""The matrices of ADA's blits and geometric transforms."""

import math

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations import placements, planar_matrices
from biggan_tf.augmentations.gated_draws import GatedDraws
from tests.biggan_tf.augmentations.given_draws import LEFT_OUT, PASSED, Given, only

COS, SIN = math.cos(0.6 * math.pi), math.sin(0.6 * math.pi)


def inverse(function, random, probability=1.0):
    draws = GatedDraws(random, probability, "float64")
    return function(planar_matrices.identity(tf.zeros([2], tf.float64)), draws, 24, 32).numpy()


@pytest.mark.parametrize(
    ("position", "parameter", "expected"),
    [
        (0, 0.4, np.eye(3)),
        (0, 0.6, np.diag([-1.0, 1.0, 1.0])),
        (1, 0.3, [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        (1, 0.99, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
        (2, [0.9, 0.2], [[1, 0, -3], [0, 1, 2], [0, 0, 1]]),  # round(0.8 * 32 / 8) and round(-0.6 * 24 / 8)
    ],
)
def test_blits_are_the_papers(position, parameter, expected):
    got = inverse(placements.blit, only(2, position, parameter, 3))
    np.testing.assert_allclose(got, np.stack([expected] * 2), atol=1e-12)


@pytest.mark.parametrize(
    ("position", "parameter", "expected"),
    [
        (0, 1.5, np.diag([2**-0.3, 2**-0.3, 1.0])),
        (1, 0.8, [[COS, -SIN, 0], [SIN, COS, 0], [0, 0, 1]]),
        (2, 1.5, np.diag([2**-0.3, 2**0.3, 1.0])),
        (3, 0.8, [[COS, -SIN, 0], [SIN, COS, 0], [0, 0, 1]]),
        (4, [0.5, -1.0], [[1, 0, -2], [0, 1, 3], [0, 0, 1]]),
    ],
)
def test_geometric_transforms_are_the_papers(position, parameter, expected):
    got = inverse(placements.geometric, only(2, position, parameter, 5))
    np.testing.assert_allclose(got, np.stack([expected] * 2), atol=1e-6)


def test_one_of_two_rotations_comes_with_the_probability():
    # 1 - sqrt(1 - 0.64) = 0.4
    turned, still = (
        inverse(
            placements.geometric, Given(2, 1.0, LEFT_OUT, 0.8, gate, 1.0, LEFT_OUT, 0.8, LEFT_OUT, 0.0, PASSED), 0.64
        )
        for gate in (0.399, 0.401)
    )
    assert turned[0, 0, 0] == pytest.approx(COS, abs=1e-6)
    np.testing.assert_array_equal(still[0], np.eye(3))
