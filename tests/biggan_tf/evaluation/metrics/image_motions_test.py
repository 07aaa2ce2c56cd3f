"""Motions of images against waves, of which one knows what they look like when they have moved."""

import numpy as np
import pytest

from biggan_tf.evaluation.metrics import image_motions

SIZE = 24
# Periods across the image along x and y, and the phase, of each channel.
WAVES = [(2.0, 1.0, 0.1), (-1.0, 3.0, 0.4), (3.0, 2.0, 0.8)]


def waves(matrix, offset=(0.0, 0.0)):
    """The waves at matrix^-1 (p - offset), for each pixel p."""
    line = np.arange(SIZE) + 0.5 - SIZE / 2
    y, x = np.meshgrid(line - offset[1], line - offset[0], indexing="ij")
    x, y = np.tensordot(np.linalg.inv(matrix), np.stack([x, y]), axes=1) / SIZE
    return np.stack([np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in WAVES], axis=-1)[None]


def test_a_shift_by_pixels_is_exact():
    images = np.random.default_rng(0).standard_normal((2, 5, 7, 3))
    moved = image_motions.shifted_by_pixels(images, 2, -1)
    np.testing.assert_array_equal(moved.images[:, :4, 2:], images[:, 1:, :5])
    assert moved.mask.sum() == 4 * 5
    assert moved.mask[:4, 2:].all()
    assert not image_motions.shifted_by_pixels(images, 9, 0).mask.any()


@pytest.mark.parametrize(("x", "y"), [(2.0, -1.0), (1.3, 0.25), (-2.6, 1.9)])
def test_a_shift_is_that_of_the_waves(x, y):
    moved = image_motions.shifted(waves(np.eye(2)), x, y)
    expected = waves(np.eye(2), (x, y))
    assert np.abs(moved.images - expected)[:, moved.mask].max() < 0.02
    # Six pixels are read along each axis, and only where all of them lie within the image is the result valid.
    places = np.arange(SIZE)
    rows, columns = ((places - np.floor(d) - 3 >= 0) & (places - np.floor(d) + 2 < SIZE) for d in (y, x))
    np.testing.assert_array_equal(moved.mask, rows[:, None] & columns)


@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0, -3.0])
def test_a_turn_is_that_of_the_waves(angle):
    turn = image_motions.rotation(angle)
    moved = image_motions.turned(waves(np.eye(2)), turn)
    assert moved.mask.sum() > 30
    assert np.abs(moved.images - waves(turn))[:, moved.mask].max() < 0.05
    # A network that turns perfectly is filtered alike, which leaves waves of low frequency as they are.
    filtered = image_motions.filtered_as_turned(waves(turn), turn)
    mask = moved.mask & filtered.mask
    assert np.abs(moved.images - filtered.images)[:, mask].max() < 0.05


def test_the_filter_of_a_turn_by_nothing_is_symmetric_and_sums_to_one():
    taps = image_motions.joint_filter(np.eye(2), 4)
    assert taps.shape == (47, 47)
    np.testing.assert_allclose(taps, taps.T, atol=1e-12)
    np.testing.assert_allclose(taps, taps[::-1, ::-1], atol=1e-12)
    assert taps.sum() == pytest.approx(1.0)
