import io

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import RejectedImageError
from pipeline.preprocessing.decoding import SourceImage
from tests.pipeline import pictures

MAX_PIXELS = 1_000_000
PIXELS = pictures.photograph(61, 83)


def decode(data, box=None):
    return SourceImage(data, MAX_PIXELS).pixels(box)


@pytest.mark.parametrize("image_format", ["PNG", "BMP"])
def test_lossless_formats_come_back_exactly(image_format):
    np.testing.assert_array_equal(decode(pictures.encoded(PIXELS, image_format)), PIXELS)
    np.testing.assert_array_equal(
        decode(pictures.encoded(PIXELS, "WEBP", lossless=True), (5, 6, 40, 41)), PIXELS[6:41, 5:40]
    )


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 2, "quality": 30}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_equals_pillow_bit_for_bit_also_where_only_a_part_is_decoded(mode, options):
    data = pictures.encoded(pictures.photograph(97, 203), "JPEG", mode, **options)
    reference = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode(data), reference)
    for box in ((53, 0, 150, 97), (17, 3, 60, 44), (100, 50, 203, 97)):
        left, upper, right, lower = box
        np.testing.assert_array_equal(decode(data, box), reference[upper:lower, left:right])


def test_cmyk_jpeg_becomes_the_rgb_that_pillow_makes_of_it():
    data = pictures.encoded(PIXELS, "JPEG", "CMYK", quality=95)
    image = SourceImage(data, MAX_PIXELS)
    assert image.mode == "CMYK"
    assert np.abs(image.pixels().astype(int) - PIXELS).mean() < 4


def test_rgb_jpeg_without_colour_transform_keeps_its_colours():
    data = pictures.encoded(PIXELS, "JPEG", quality=95, keep_rgb=True)
    assert np.abs(decode(data).astype(int) - PIXELS).mean() < 4


def test_exif_orientation_is_ignored():
    data = pictures.encoded(PIXELS, "JPEG")
    turned = pictures.with_exif_orientation(data, 6)
    assert Image.open(io.BytesIO(turned)).getexif()[0x0112] == 6
    np.testing.assert_array_equal(decode(turned), decode(data))


def test_palette_alpha_and_grey_become_rgb():
    palette = Image.fromarray(PIXELS).quantize(32)
    buffer = io.BytesIO()
    palette.save(buffer, "PNG", transparency=b"\x80" * 32)
    np.testing.assert_array_equal(decode(buffer.getvalue()), np.asarray(palette.convert("RGB")))
    np.testing.assert_array_equal(decode(pictures.encoded(PIXELS, "PNG", "RGBA")), PIXELS)
    grey = np.asarray(Image.fromarray(PIXELS).convert("L"))
    for mode in ("L", "LA"):
        np.testing.assert_array_equal(decode(pictures.encoded(PIXELS, "PNG", mode)), np.repeat(grey[..., None], 3, 2))
    assert decode(pictures.encoded(PIXELS, "PNG", "1")).shape == (61, 83, 3)


def test_sixteen_bit_png_keeps_its_high_byte():
    levels = np.arange(48 * 64).reshape(48, 64) * 21
    np.testing.assert_array_equal(decode(pictures.png16(levels))[..., 1], levels >> 8)


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    for image_format, options in (("GIF", {}), ("WEBP", {"lossless": True})):
        buffer = io.BytesIO()
        frames[0].save(buffer, image_format, save_all=True, append_images=frames[1:], **options)
        np.testing.assert_array_equal(decode(buffer.getvalue())[4, 4], [255, 0, 0])


@pytest.mark.parametrize("bomb", pictures.BOMBS)
def test_bombs_are_refused_by_their_header(bomb):
    with pytest.raises(RejectedImageError, match="is more than --max_pixels=1000000") as caught:
        decode(bomb())
    assert caught.value.reason == "too_many_pixels"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, world", "unknown_format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "unknown_format"),
        (pictures.encoded(PIXELS, "PNG")[:-500], "truncated"),
        (pictures.encoded(PIXELS, "JPEG")[:300], "truncated"),
    ],
)
def test_bad_files_have_a_reason(data, reason):
    with pytest.raises(RejectedImageError) as caught:
        decode(data)
    assert caught.value.reason == reason


def test_five_hundred_damaged_pictures_decode_or_are_rejected():
    outcomes = {}
    for seed in range(500):
        kind, data = pictures.damaged(seed)
        try:
            assert decode(data).ndim == 3
            outcome = "decoded"
        except RejectedImageError as error:
            outcome = error.reason
        outcomes.setdefault(kind, set()).add(outcome)
    assert outcomes["bomb"] == {"too_many_pixels"}
    assert outcomes["empty"] <= {"empty", "unknown_format"}
    assert "truncated" in outcomes["truncated"]
    assert len(outcomes) == 9
