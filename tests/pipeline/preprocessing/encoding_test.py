import io

import numpy as np
import pytest
from PIL import Image

from biggan_tf.data import records
from pipeline.preprocessing.encoding import encode, expected_bytes
from tests.pipeline import pictures

PIXELS = pictures.photograph(32, 32)


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_lossless_formats_lose_nothing(image_format):
    data = encode(PIXELS, image_format)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), PIXELS)
    np.testing.assert_array_equal(records.decode(data, image_format), PIXELS)


def test_raw_is_the_pixels_row_by_row():
    assert encode(PIXELS, "raw") == PIXELS.tobytes()


def test_jpeg_is_close_and_smaller():
    data = encode(PIXELS, "jpeg")
    assert np.abs(np.asarray(Image.open(io.BytesIO(data))).astype(int) - PIXELS).mean() < 4
    assert len(data) < len(encode(PIXELS, "png"))


@pytest.mark.parametrize("image_format", records.FORMATS)
def test_expected_size_is_of_the_right_order(image_format):
    pixels = pictures.photograph(128, 128)
    assert 0.4 < len(encode(pixels, image_format)) / expected_bytes(128, image_format) < 2.5
