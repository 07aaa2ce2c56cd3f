import io
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from pipeline.preprocessing.png_file import encode_png
from tests.pipeline import pictures


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def drawing():
    image = Image.new("RGB", (40, 30), "white")
    ImageDraw.Draw(image).text((2, 2), "GAN", fill="navy")
    return np.asarray(image)


DRAWING = drawing()
PICTURES = {
    "a photograph": pictures.photograph(32, 48),
    "a drawing": DRAWING,
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


def rows_of(data, pixels):
    """What is compressed in a file: for each row the number of its prediction, and what that has left."""
    start = data.index(b"IDAT") + 4
    height, width, _ = pixels.shape
    return np.frombuffer(zlib.decompressobj().decompress(data[start:]), np.uint8).reshape(height, 1 + 3 * width)


# Section 9.2 of the specification. Left(x) is Raw(x - bpp) there, and Above(x) is Prior(x).
@pytest.mark.parametrize(
    ("pixels", "number", "predicted"),
    [(noise(5, 7), 3, lambda left, above: (left + above) // 2), (DRAWING, 1, lambda left, above: left)],
    ids=["photographs", "drawings"],
)
def test_each_byte_is_stored_less_what_its_neighbours_predict(pixels, number, predicted):
    rows = rows_of(encode_png(pixels), pixels)
    assert (rows[:, 0] == number).all()
    raw = pixels.reshape(len(pixels), -1).astype(int)
    for i, j in np.ndindex(*raw.shape):
        left, above = raw[i, j - 3] if j >= 3 else 0, raw[i - 1, j] if i else 0
        assert rows[i, 1 + j] == (raw[i, j] - predicted(left, above)) % 256


def test_the_same_pixels_give_the_same_bytes():
    assert encode_png(PICTURES["a photograph"]) == encode_png(PICTURES["a photograph"].copy(order="F"))


@pytest.mark.parametrize(
    "pixels", [pictures.photograph(32, 32), pictures.photograph(128, 128), DRAWING], ids=["small", "large", "drawing"]
)
def test_files_are_hardly_larger_than_libpngs_at_level_2(pixels):
    assert len(encode_png(pixels)) < 1.1 * len(tf.io.encode_png(pixels, compression=2).numpy())
