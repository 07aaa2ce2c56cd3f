"""Noise on a plane: a window has the numbers of its place."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops.plane_noise import plane_normal

KEYS = tf.constant([[1, 2], [3, -1]], tf.int64)


@pytest.mark.parametrize("offset", [(0, 0), (3, 40), (32, 31), (50, 64)])
def test_a_window_is_a_part_of_the_plane(offset):
    whole = plane_normal(KEYS, 2, 90, 100, 2)
    part = plane_normal(KEYS, 2, 20, 33, 2, tf.constant(offset))
    row, column = offset
    np.testing.assert_array_equal(part, whole[:, row : row + 20, column : column + 33])


def test_a_row_depends_on_its_key_alone():
    together, alone = plane_normal(KEYS, 0, 8, 8), plane_normal(KEYS[1:], 0, 8, 8)
    np.testing.assert_array_equal(together[1:], alone)
    assert not np.array_equal(together[0], together[1])


def test_planes_and_squares_are_independent():
    first, second = (plane_normal(KEYS, plane, 64, 64).numpy() for plane in (0, 1))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03
    squares = first[0, :, :, 0].reshape(2, 32, 2, 32).transpose(0, 2, 1, 3).reshape(4, -1)
    assert np.abs(np.corrcoef(squares) - np.eye(4)).max() < 0.15
    assert first.mean() == pytest.approx(0.0, abs=0.05)
    assert first.std() == pytest.approx(1.0, abs=0.05)
