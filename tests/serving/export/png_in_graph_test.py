import numpy as np
import tensorflow as tf

from serving.export.png_in_graph import encode_png
from tests.pipeline import pictures


def test_the_pixels_are_kept_in_hardly_more_bytes_than_by_default():
    pixels = pictures.photograph(64, 48)
    data = tf.function(encode_png)(pixels).numpy()
    np.testing.assert_array_equal(tf.io.decode_png(data).numpy(), pixels)
    assert len(data) < 1.1 * len(tf.io.encode_png(pixels).numpy())
