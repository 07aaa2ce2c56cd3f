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


def test_pixels_whose_number_the_dtype_cannot_hold_are_found():
    # float16 holds every whole number up to 2^11 alone, as float32 does up to 2^24; the last pixel has number 2,498.
    images = np.arange(49 * 51).reshape(1, 49, 51, 1) % 2
    rows, columns = (place.reshape(1, -1) for place in np.indices((49, 51)))
    got = sample_bilinear(*(tf.constant(values, tf.float16) for values in (images, rows, columns)))
    np.testing.assert_array_equal(np.asarray(got)[0, :, 0], images.ravel())
