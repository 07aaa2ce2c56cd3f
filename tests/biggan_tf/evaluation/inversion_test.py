import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.evaluation import noise_maps
from biggan_tf.evaluation.inversion import InversionOptions, invert, read_picture
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.ops.pixels import to_bytes
from tests.biggan_tf import picture_files_test
from tests.biggan_tf.families.stylegan2 import smallest

KEYS = tf.constant([[5, -1]], tf.int64)


def new_generator(noise_strength):
    generator = smallest.model(num_classes=0, resolution=8).generator()
    for layer in generator.convolutions:
        layer.noise_strength.assign(noise_strength)
    for layer in generator.to_rgb:
        layer.kernel.assign(0.3 * layer.kernel)
    return generator


@pytest.fixture(scope="module")
def sampler():
    return GeneratorSampler(new_generator(noise_strength=0.1), seed=2)


def picture_of(sampler, ws):
    generator = sampler.generator
    return np.asarray(to_bytes(generator.synthesise(generator.styles_from(tf.constant(ws)), KEYS)))[0]


@pytest.mark.parametrize("space", ["w", pytest.param("w+", marks=pytest.mark.slow)])
def test_a_picture_of_the_generator_itself_comes_back(sampler, space):
    ws = sampler.styles(sampler.latents([7])).copy()
    if space == "w+":
        ws[:, 2:] = sampler.styles(sampler.latents([8]))[:, 2:]
    target = picture_of(sampler, ws)
    options = InversionOptions(space, num_steps=150, num_drawn=200, feature_weight=0.0, seed=5)
    found = invert(sampler, target, options)
    # The last bits of a convolution decide which minimum is found; of the poorer ones a twelfth is left.
    assert found.distances["pixels"] < 0.15 * found.distances["pixels_of_mean"]
    np.testing.assert_array_equal(found.keys, KEYS)
    np.testing.assert_array_equal(picture_of(sampler, found.ws), found.picture)
    off = (found.picture.astype(np.float64) - target) / 127.5
    # What lies outside of the grey levels is cut off in the picture, which brings it nearer to the target.
    assert np.mean(off**2) <= found.distances["pixels"] + 1e-4
    same = np.ptp(found.ws, axis=1).max() == 0
    assert same == (space == "w")


def test_noise_that_is_searched_for_stays_noise_and_comes_nearer():
    sampler = GeneratorSampler(new_generator(noise_strength=1.0), seed=2)
    # No styles draw this picture: a grey square with rough grain, which noise alone can follow.
    grain = np.random.default_rng(0).integers(-40, 41, (8, 8, 1))
    target = (128 + np.tile(grain, (1, 1, 3))).astype(np.uint8)
    options = InversionOptions(num_steps=100, num_drawn=50, feature_weight=0.0, noise_weight=1.0, seed=5)
    found = {
        search: invert(sampler, target, dataclasses.replace(options, search_noise=search)) for search in (False, True)
    }
    assert found[True].distances["pixels"] < 0.6 * found[False].distances["pixels"]
    assert found[False].noise == ()
    generator, noise = sampler.generator, found[True].noise
    assert [each.shape for each in noise] == [(1, size, size, 1) for size in (4, 8, 8)]
    for each in noise:
        np.testing.assert_allclose([each.mean(), each.var()], [0.0, 1.0], atol=1e-5)
    # From 1e-5 to 1e-4, by the last bits of the convolutions; without `noise_weight` from 0.1 to 0.4.
    assert float(noise_maps.correlation(noise)) < 1e-3
    images = generator.synthesise_with_noise(generator.styles_from(tf.constant(found[True].ws)), noise)
    np.testing.assert_array_equal(np.asarray(to_bytes(images))[0], found[True].picture)


def test_noise_cannot_be_searched_for_where_there_is_none():
    target = np.zeros((8, 8, 3), np.uint8)
    for fields, received in (({"noise": "none"}, "0 noise maps"), ({"noise_correlation": 0.5}, "correlation of 0.5")):
        silent = GeneratorSampler(smallest.model(num_classes=0, **fields).generator())
        with pytest.raises(ValueError, match=f"search_noise needs a generator.*Received: stylegan2 with.*{received}"):
            invert(silent, target, InversionOptions(num_drawn=2, search_noise=True))


@pytest.mark.slow
def test_features_are_followed_where_pixels_do_not_count(sampler, extractor):
    generator = smallest.model(num_classes=0, resolution=32).generator()
    other = GeneratorSampler(generator, seed=2)
    target = other.images_of_styles(other.styles(other.latents([3])))[0]
    options = InversionOptions(num_steps=60, num_drawn=100, pixel_weight=0.0)
    found = invert(other, target, options, extractor)
    assert found.distances["features"] < 0.5 * found.distances["features_of_mean"]


def test_rate_and_noise_follow_their_ramps():
    options = InversionOptions(num_steps=1000)
    assert options.rate(0) == 0.0
    assert options.rate(25) == pytest.approx(0.05)
    assert options.rate(500) == pytest.approx(0.1)
    assert options.rate(875) == pytest.approx(0.05)
    assert options.noise(0) == pytest.approx(0.05)
    assert options.noise(375) == pytest.approx(0.0125)
    assert options.noise(800) == 0.0


def test_mistakes_are_named(sampler, tmp_path, generator):
    target = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=r"must have shape \(8, 8, 3\). Received: \(4, 4, 3\)"):
        invert(sampler, target[:4, :4], InversionOptions())
    with pytest.raises(ValueError, match=r"space must be one of w, w\+.*num_steps must be at least 1"):
        invert(sampler, target, InversionOptions(space="z", num_steps=0))
    with pytest.raises(ValueError, match=r"styles w, such as a StyleGAN. Received: biggan"):
        invert(GeneratorSampler(generator), target, InversionOptions())
    (tmp_path / "text.png").write_text("no picture")
    for name in ("text.png", "missing.png"):
        with pytest.raises(ValueError, match=rf"--input must be a picture.*{name}"):
            read_picture(str(tmp_path / name), 8)


def test_a_picture_is_turned_as_its_file_says(tmp_path):
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:, 4:] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    Image.fromarray(halves).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_picture(str(tmp_path / "turned.png"), 8), np.rot90(halves, -1))


def test_a_damaged_picture_is_said_to_be_one(tmp_path):
    content = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(content, "PNG")
    damaged = content.getvalue().replace(b"IDAT", b"IDAT" + b"\xff" * 4, 1)
    (tmp_path / "damaged.png").write_bytes(damaged)
    (tmp_path / "huge.png").write_bytes(picture_files_test.BOMB)
    for name, told in (("damaged.png", "must be a whole file"), ("huge.png", "60000 x 60000")):
        with pytest.raises(ValueError, match=rf"--input must be a picture.*{name}: .*{told}"):
            read_picture(str(tmp_path / name), 8)


def test_the_square_in_the_middle_is_read(tmp_path):
    wide = np.zeros((8, 20, 3), np.uint8)
    wide[:, 6:14] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(read_picture(str(tmp_path / "wide.png"), 4), np.full((4, 4, 3), 200))
