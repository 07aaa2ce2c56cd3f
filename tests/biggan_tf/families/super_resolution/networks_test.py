"""The networks that enlarge images: their sizes, what a pixel depends on, and their mistakes."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.config.parts import load
from biggan_tf.families.super_resolution.config import SuperResolutionConfig
from biggan_tf.ops.resizing import enlarged
from biggan_tf.presets.preset import Preset
from biggan_tf.presets.pretrained import from_preset, save_to_preset
from biggan_tf.training.cost import parameter_counts
from tests.biggan_tf.families.super_resolution import smallest

SMALL = np.random.default_rng(0).uniform(-1, 1, (2, 24, 20, 3)).astype(np.float32)
KEYS = tf.constant([[1, 2], [3, 4]], tf.int64)
KINDS = [(factor, upsampling) for factor in (2, 4) for upsampling in ("sub_pixel", "fir")]


def roused(**fields):
    """A generator whose last convolutions and strengths of noise are not small."""
    generator = smallest.model(resolution=16, **fields).generator()
    for number, variable in enumerate(generator.trainable_variables):
        variable.assign_add(0.3 * np.random.default_rng(number).standard_normal(variable.shape))
    return generator


def test_sizes_of_the_recipes():
    assert parameter_counts(SuperResolutionConfig(width=48, discriminator_width=16)) == (501_469, 2_032_641)


@pytest.mark.parametrize(("factor", "upsampling"), KINDS)
def test_images_of_any_size_become_larger_by_the_factor(factor, upsampling):
    generator = roused(factor=factor, upsampling=upsampling)
    images = generator.enlarge(SMALL, KEYS)
    assert images.shape == (2, 24 * factor, 20 * factor, 3)
    assert images.dtype == "float32"
    # Kernels may add in another order for another number of rows: of the largest value, not of each.
    atol = 1e-5 * np.abs(images).max()
    np.testing.assert_allclose(images[1:], generator.enlarge(SMALL[1:], KEYS[1:]), atol=atol)


def test_a_new_generator_is_nearly_the_bicubic_enlargement():
    generator = smallest.model().generator()
    assert np.abs(generator.enlarge(SMALL) - enlarged(SMALL, 2)).max() < 0.1


@pytest.mark.parametrize(("factor", "upsampling"), KINDS)
def test_no_pixel_sees_further_than_the_context(factor, upsampling):
    generator = roused(factor=factor, upsampling=upsampling)
    size, place = 25, 12
    small = tf.Variable(np.random.default_rng(1).uniform(-1, 1, (1, size, size, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        images = generator.enlarge(small.value())
        middle = tf.reduce_sum(tf.abs(images[0, factor * place : factor * (place + 1)]), axis=(0, 2))
        value = middle[factor * place]
    slope = np.abs(tape.gradient(value, small)).sum(axis=(0, 3))
    rows, columns = np.nonzero(slope)
    reach = max(np.abs(rows - place).max(), np.abs(columns - place).max())
    assert 1 < reach <= generator.context


def test_a_tile_has_the_noise_of_its_image():
    generator = roused()
    whole, margin = generator.enlarge(SMALL, KEYS), generator.context
    tile = generator.enlarge(SMALL[:, 3:23, 2:18], KEYS, tf.constant([3, 2]))
    inner = slice(2 * margin, -2 * margin)
    expected = whole[:, 6:46, 4:36]
    np.testing.assert_allclose(tile[:, inner, inner], expected[:, inner, inner], atol=1e-5)
    assert not np.allclose(tile[:, inner, inner], generator.enlarge(SMALL[:, 3:23, 2:18], KEYS)[:, inner, inner])


def test_a_generator_without_noise_is_the_same_for_all_keys():
    generator = roused(noise=False)
    assert not generator.has_noise
    np.testing.assert_array_equal(generator.enlarge(SMALL, KEYS), generator.enlarge(SMALL))


def test_the_discriminator_compares_the_image_with_the_small_one():
    discriminator = smallest.model().discriminator()
    images = np.random.default_rng(2).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    small = np.random.default_rng(3).uniform(-1, 1, (2, 4, 4, 3)).astype(np.float32)
    logits = np.asarray(discriminator((images, small)).logits)
    assert not np.allclose(logits, discriminator((images, small[::-1])).logits)
    np.testing.assert_allclose(logits[:1], discriminator((images[:1], small[:1])).logits, atol=1e-5)


@pytest.mark.parametrize("norm", ["none", "spectral", "batch", "layer", "instance", "group"])
def test_the_discriminator_takes_norms(norm):
    config = smallest.model(discriminator_norm=load("discriminator_norm", norm)())
    if norm == "group":
        config.discriminator_norm.num_groups = 2
    small = np.zeros((2, 4, 4, 3), np.float32)
    judgement = config.discriminator()((np.zeros((2, 8, 8, 3), np.float32), small), training=True)
    assert np.isfinite(judgement.logits).all()


def test_mistakes_are_told():
    generator, discriminator = smallest.model().generator(), smallest.model().discriminator()
    with pytest.raises(ValueError, match=r"\(z, small images\).*Received: z alone"):
        generator(np.zeros((1, 8), np.float32))
    with pytest.raises(ValueError, match=r"\(images, small images\)"):
        discriminator(np.zeros((1, 8, 8, 3), np.float32))
    problems = " ".join(SuperResolutionConfig(resolution=30, factor=3, num_classes=5, upsampling="firr").problems())
    for part in ("power of two", "must be 2 or 4", "num_classes must be 0", "did you mean fir"):
        assert part in problems


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((None, 5, 7, 3), "uint8", r"Received: uint8; divide bytes by 127\.5 and subtract 1"),
        ((None, 7, 3), "float32", r"shape \(N, H, W, 3\)\. Received: shape \(None, 7, 3\)"),
        ((None, 5, 7, 4), "float32", r"Received: shape \(None, 5, 7, 4\)"),
    ],
)
def test_what_is_no_small_image_is_named(shape, dtype, message):
    # The tests check annotations, which say the same, only where all sizes are known.
    with pytest.raises(ValueError, match=message):
        tf.function(smallest.model().generator().enlarge).get_concrete_function(tf.TensorSpec(shape, dtype))


def test_what_moves_one_of_two_images_is_refused():
    config = smallest.config()
    config.augmentation = load("augmentation", "differentiable")()
    config.game = load("game", "hinge")()
    config.game.penalties.consistency = 1.0
    problems = config.problems()
    assert any("augmentation must be none" in problem for problem in problems)
    assert any("game.penalties.consistency must be 0" in problem for problem in problems)
    config = smallest.config()
    config.game.game.penalties.fake_consistency = 1.0
    (problem,) = config.problems()
    assert "game.game.penalties.fake_consistency must be 0" in problem
    assert Config(game=load("game", "restoration")()).problems()[0].startswith("game restoration needs a model")


def test_a_preset_says_how_it_enlarges_and_draws_nothing(tmp_path):
    config = smallest.config()
    save_to_preset(tmp_path / "preset", config.model.generator(), preset=Preset(config))
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "biggan_tf.upscale --weights=FOLDER" in card
    assert "pipeline_tag: image-to-image" in card
    with pytest.raises(ValueError, match="draws none from a seed alone"):
        from_preset(str(tmp_path / "preset")).generate()
