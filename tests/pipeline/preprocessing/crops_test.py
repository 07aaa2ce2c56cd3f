import io

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import PipelineError
from pipeline.preprocessing import crops
from pipeline.preprocessing.decoding import SourceImage
from tests.pipeline import pictures


def make(crop, data, *resolutions):
    return crops.make_resizer(crop)(SourceImage(data, 10**7), resolutions)


def torchvision_center_crop(image):
    """As BigGAN-PyTorch's CenterCropLongEdge calls it."""
    side = min(image.size)
    top = int(round((image.height - side) / 2.0))  # noqa: RUF046 - as it stands there
    left = int(round((image.width - side) / 2.0))  # noqa: RUF046
    return image.crop((left, top, left + side, top + side))


@pytest.mark.parametrize("size", [(375, 500), (500, 333), (64, 64), (33, 500), (101, 40)])
def test_biggan_is_the_long_edge_crop_and_pillows_bilinear(size):
    for image_format in ("JPEG", "PNG"):
        data = pictures.encoded(pictures.photograph(*size), image_format)
        reference = torchvision_center_crop(Image.open(io.BytesIO(data)).convert("RGB"))
        for resolution, pixels in make("biggan", data, 32, 64, 128).items():
            expected = np.asarray(reference.resize((resolution, resolution), Image.Resampling.BILINEAR))
            assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_no_resampling_where_the_size_is_right_already():
    pixels = pictures.photograph(64, 64)
    for crop in ("biggan", "lanczos", "adm", "compare_gan"):
        np.testing.assert_array_equal(make(crop, pictures.encoded(pixels, "PNG"), 64)[64], pixels)


def test_lanczos_is_edm2s_center_crop():
    pixels = pictures.photograph(75, 100)
    square = Image.fromarray(pixels[:, 12:87])
    expected = np.asarray(square.resize((32, 32), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(make("lanczos", pictures.encoded(pixels, "PNG"), 32)[32], expected)


def test_adm_halves_by_boxes_then_bicubic_then_crops():
    pixels = pictures.photograph(150, 200)
    image = Image.fromarray(pixels).resize((100, 75), Image.Resampling.BOX)
    image = image.resize((round(100 * 40 / 75), 40), Image.Resampling.BICUBIC)
    expected = np.asarray(image)[:, (53 - 40) // 2 : (53 - 40) // 2 + 40]
    np.testing.assert_array_equal(make("adm", pictures.encoded(pixels, "PNG"), 40)[40], expected)


def test_compare_gan_equals_tensorflow_1_resize():
    import tensorflow as tf

    pixels = pictures.photograph(90, 120)
    square = pixels[:, 15:105].astype(np.float32)[None]
    expected = tf.compat.v1.image.resize_bilinear(square, [32, 32], align_corners=False, half_pixel_centers=False)[0]
    made = make("compare_gan", pictures.encoded(pixels, "PNG"), 32)[32]
    assert np.abs(made - expected.numpy()).max() <= 0.501


def test_small_images_are_enlarged_and_not_dropped():
    assert make("biggan", pictures.encoded(pictures.photograph(9, 17), "PNG"), 64)[64].shape == (64, 64, 3)


def test_pixels_hash_tells_crops_apart_and_is_stable():
    hashes = {name: crops.pixels_hash(name) for name in crops.NAMES}
    assert len(set(hashes.values())) == len(crops.NAMES) == 4
    assert hashes == {name: crops.pixels_hash(name) for name in crops.NAMES}
    assert crops.crop_id("biggan") == "biggan-1"


def test_unknown_crop_lists_the_known_ones():
    with pytest.raises(PipelineError, match=r"one of adm, biggan, compare_gan, lanczos\. Received: 'x'"):
        crops.make_resizer("x")
