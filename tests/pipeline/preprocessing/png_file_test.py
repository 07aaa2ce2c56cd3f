import io
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipeline.preprocessing.png_file import encode_png
from tests.pipeline import pictures


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


PICTURES = {
    "a photograph": pictures.photograph(32, 48),
    "noise": noise(17, 9),
    "a pixel": noise(1, 1),
    "a row": noise(1, 11),
    "a column": noise(13, 1),
    "black": np.zeros((8, 8, 3), np.uint8),
    "white": np.full((8, 300, 3), 255, np.uint8),
    "a view of every second pixel": noise(20, 20)[::2, ::2],
    "a transposed view": noise(6, 10).transpose(1, 0, 2),
}


@pytest.mark.parametrize("name", PICTURES)
def test_libraries_read_the_pixels_that_were_written(name):
    pixels = PICTURES[name]
    data = encode_png(pixels)
    with Image.open(io.BytesIO(data)) as image:
        image.verify()  # the checksums
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(picture), pixels)
    np.testing.assert_array_equal(tf.io.decode_png(data).numpy(), pixels)


def test_each_byte_is_stored_less_the_mean_of_its_left_and_upper_neighbours():
    pixels = noise(5, 7)
    data = encode_png(pixels)
    start = data.index(b"IDAT") + 4
    rows = np.frombuffer(zlib.decompressobj().decompress(data[start:]), np.uint8).reshape(5, 1 + 3 * 7)
    assert (rows[:, 0] == 3).all()
    # Section 9.2 of the specification: Average(x) = Raw(x) - floor((Raw(x - bpp) + Prior(x)) / 2), modulo 256.
    raw = pixels.reshape(5, 21).astype(int)
    for i in range(5):
        for j in range(21):
            left, above = raw[i, j - 3] if j >= 3 else 0, raw[i - 1, j] if i else 0
            assert rows[i, 1 + j] == (raw[i, j] - (left + above) // 2) % 256


def test_the_same_pixels_give_the_same_bytes():
    assert encode_png(PICTURES["a photograph"]) == encode_png(PICTURES["a photograph"].copy(order="F"))


@pytest.mark.parametrize("size", [32, 128])
def test_photographs_are_hardly_larger_than_with_the_usual_settings(size):
    pixels = pictures.photograph(size, size)
    usual = tf.io.encode_png(pixels).numpy()
    assert len(encode_png(pixels)) < 1.1 * len(usual)
