"""Tiles against the picture that is computed at once."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.inference.tiled_enlargement import TiledEnlarger
from tests.biggan_tf.families.super_resolution.networks_test import roused

PICTURE = np.random.default_rng(0).integers(0, 256, (61, 90, 3)).astype(np.uint8)


@pytest.fixture(scope="module", params=["sub_pixel", "fir"])
def generator(request):
    return roused(factor=4, upsampling=request.param)


@pytest.mark.parametrize("tile", [48, 57])
def test_tiles_equal_the_picture_at_once_to_a_grey_level(generator, tile):
    tiled, whole = TiledEnlarger(generator, tile), TiledEnlarger(generator, 200)
    assert tiled.tile == tile
    ours, theirs = tiled(PICTURE, seed=3), whole(PICTURE, seed=3)
    assert ours.shape == (244, 360, 3)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert not np.array_equal(ours, tiled(PICTURE, seed=4))


def test_inside_it_is_what_the_generator_computes(generator):
    ours = TiledEnlarger(generator, 48)(PICTURE)
    levels = tf.constant(PICTURE[None], tf.float32) / 127.5 - 1.0
    keys = tf.constant([[0, -1]], tf.int64)
    margin = generator.context
    padded = np.pad(levels, [(0, 0), (margin, margin), (margin, margin), (0, 0)], mode="symmetric")
    theirs = np.asarray(generator.enlarge(padded, keys))[0, 4 * margin : -4 * margin, 4 * margin : -4 * margin]
    expected = np.clip(np.rint((theirs + 1) * 127.5), 0, 255)
    assert np.abs(ours - expected).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (33, 3)])
def test_small_pictures_are_enlarged(size):
    enlarger = TiledEnlarger(roused(), 8)
    assert enlarger.tile == 2 * enlarger.margin + 32
    height, width = size
    assert enlarger(PICTURE[:height, :width]).shape == (2 * height, 2 * width, 3)


def test_bands_are_as_high_as_a_core():
    enlarger = TiledEnlarger(roused(), 48)
    bands = list(enlarger.bands(PICTURE))
    assert [len(band) for band in bands] == [2 * enlarger.core, 2 * (61 - enlarger.core)]
