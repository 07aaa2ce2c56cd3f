import numpy as np
import scipy.ndimage
import tensorflow as tf

from biggan_tf.ops.bilinear import sample_bilinear


def test_values_between_pixels_are_scipys_and_zero_lies_outside():
    random = np.random.default_rng(0)
    images = random.standard_normal((2, 5, 7, 3))
    rows, columns = random.uniform(-2, 6, (2, 50)), random.uniform(-2, 8, (2, 50))
    got = sample_bilinear(tf.constant(images), tf.constant(rows), tf.constant(columns))
    for n, channel in np.ndindex(2, 3):
        expected = scipy.ndimage.map_coordinates(
            images[n, :, :, channel], [rows[n], columns[n]], order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(got[n, :, channel], expected, atol=1e-12)
