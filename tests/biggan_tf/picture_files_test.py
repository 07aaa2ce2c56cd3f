"""Pictures from files that nobody has checked, and PNG files row by row."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from biggan_tf.picture_files import read_picture, write_png

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def encoded(kind, image=None, **options):
    buffer = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


BOMB = (
    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")
)
HUGE_WEBP = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff" * 2


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_files_give_their_pixels(kind, options):
    np.testing.assert_array_equal(read_picture(encoded(kind, **options)), PIXELS)


def test_a_jpeg_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    plain, turned = read_picture(encoded("JPEG")), read_picture(encoded("JPEG", exif=exif))
    np.testing.assert_array_equal(turned, np.rot90(plain, -1))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16", "CMYK", "1"])
def test_other_modes_become_rgb(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    image = (
        Image.fromarray(PIXELS[..., 0].astype(np.uint16) << 8)
        if mode == "I;16"
        else Image.fromarray(PIXELS).convert(mode)
    )
    picture = read_picture(encoded(kind, image))
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    if mode == "I;16":
        np.testing.assert_array_equal(picture[..., 1], PIXELS[..., 0])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "must be a PNG, JPEG or WebP file"),
        (b"GIF89a" + bytes(100), "must be a PNG, JPEG or WebP file"),
        (encoded("BMP"), "must be a PNG, JPEG or WebP file"),
        (encoded("PNG")[:300], "must be a whole file.*PNG"),
        (encoded("JPEG")[:-200], "must be a whole file.*JPEG"),
        (BOMB, "from 1 to 50,000,000 pixels.*60000 x 60000"),
        (HUGE_WEBP, "from 1 to 50,000,000 pixels.*16777216 x 16777216"),
    ],
)
def test_hostile_files_are_refused(data, reason):
    with pytest.raises(ValueError, match=reason):
        read_picture(data)


def test_the_limit_counts_pixels():
    read_picture(encoded("PNG"), max_pixels=600)
    with pytest.raises(ValueError, match=r"from 1 to 599 pixels\. Received: 30 x 20"):
        read_picture(encoded("PNG"), max_pixels=599)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_limit_may_be_above_pillows_which_stays_as_it_was(monkeypatch, kind):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow warns above it, and raises above twice of it
    assert read_picture(encoded(kind), max_pixels=600).shape == (20, 30, 3)
    assert Image.MAX_IMAGE_PIXELS == 100
    with pytest.raises(ValueError, match="must be a PNG, JPEG or WebP file"):
        read_picture(b"no picture")
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("rows", [1, 7, 20])
def test_a_png_in_bands_is_the_picture(rows):
    file = io.BytesIO()
    write_png(file.write, 30, 20, (PIXELS[begin : begin + rows] for begin in range(0, 20, rows)))
    file.seek(0)
    np.testing.assert_array_equal(np.asarray(Image.open(file)), PIXELS)
