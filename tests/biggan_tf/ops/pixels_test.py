import numpy as np
import pytest

from biggan_tf.ops.pixels import to_bytes


def test_images_are_rounded_to_the_nearest_grey_level_and_cut_off():
    values = np.array([-1.5, -1.0, -1.0 + 0.9 / 127.5, 0.0, 1.0 - 0.6 / 127.5, 1.0, 2.0], np.float32)
    images = np.broadcast_to(values[:, None, None, None], (7, 2, 1, 3))
    levels = np.asarray(to_bytes(images))
    assert levels.dtype == np.uint8
    np.testing.assert_array_equal(levels[:, 0, 0, 0], [0, 0, 1, 128, 254, 255, 255])


@pytest.mark.parametrize("shape", [(8, 8, 3), (2, 8, 8, 3), (2, 3, 8, 8, 3)])
def test_a_grey_level_comes_back(shape):
    levels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(to_bytes(levels.astype(np.float32) / 127.5 - 1.0), levels)
