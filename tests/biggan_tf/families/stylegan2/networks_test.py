"""StyleGAN2's networks: sizes that were published, styles, noise and truncation."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.training import cost
from tests.biggan_tf.families.stylegan2.smallest import config, model

Z = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("fields", "generator", "discriminator"),
    [
        ({"resolution": 1024}, 30_370_060, 29_012_513),
        ({"resolution": 256}, 30_034_338, 28_864_129),
        ({"resolution": 256, "channel_base": 16384}, 24_767_458, 24_001_089),
        ({"resolution": 128, "num_classes": 1000}, 30_103_325, 31_265_024),
        (
            {"resolution": 32, "num_classes": 10, "mapping_layers": 2},
            20_215_315,
            23_876_096,
        ),
    ],
)
def test_parameters_are_as_many_as_published(fields, generator, discriminator):
    run = config()
    run.model = StyleGAN2Config(**fields)
    report = cost.report(run)["parameters"]
    assert (report["generator"], report["discriminator"]) == (generator, discriminator)


def new(**fields):
    generator = model(num_classes=0, **fields).generator()
    for layer in generator.convolutions:
        layer.noise_strength.assign(0.5)
    return generator


def test_styles_are_mixed_at_a_layer():
    generator = new()
    first, second = generator.styles(Z), generator.styles(Z[::-1].copy())
    mixed = generator.mixed(first, second, 3).ws
    np.testing.assert_array_equal(mixed[:, :3], first.ws[:, :3])
    np.testing.assert_array_equal(mixed[:, 3:], second.ws[:, 3:])


def test_truncation_moves_styles_towards_their_mean():
    generator = new(truncation_cutoff=2)
    generator.mean_w.assign(np.arange(6.0))
    whole, none = generator.styles(Z).ws.numpy(), generator.styles(Z, truncation=0.0).ws.numpy()
    half = generator.styles(Z, truncation=tf.constant([0.5, 1.0, 0.0])).ws.numpy()
    np.testing.assert_allclose(none[:, :2], np.broadcast_to(np.arange(6.0), (3, 2, 6)), rtol=1e-6)
    np.testing.assert_array_equal(none[:, 2:], whole[:, 2:])
    np.testing.assert_allclose(half[0, 0], (whole[0, 0] + np.arange(6.0)) / 2, rtol=1e-6)
    np.testing.assert_allclose(half[1], whole[1], rtol=1e-6, atol=1e-6)


def test_the_mean_style_follows_the_batches_of_training():
    generator = new(mean_w_decay=0.9)
    mean = generator.styles(Z).ws.numpy()[:, 0].mean(axis=0)
    generator.styles(Z, training=True)
    np.testing.assert_allclose(generator.mean_w, 0.1 * mean, rtol=1e-5)


@pytest.mark.parametrize("noise", ["random", "constant", "none"])
def test_noise_is_what_the_configuration_says(noise):
    generator = new(noise=noise)
    keys = tf.constant([[1, 2], [3, 4], [1, 2]], tf.int64)
    same = np.repeat(Z[:1], 3, axis=0)
    images, stored = generator(same, keys=keys).numpy(), generator(same).numpy()
    np.testing.assert_allclose(images[0], images[2], atol=1e-6)
    assert np.allclose(images[0], images[1], atol=1e-6) == (noise != "random")
    assert np.allclose(images[0], stored[0], atol=1e-6) == (noise != "random")
    assert generator.has_noise == (noise == "random")


def test_images_with_given_noise_are_those_of_its_keys():
    generator = new()
    keys = tf.constant([[i, 5] for i in range(3)], tf.int64)
    styles, maps = generator.styles(Z[:3]), generator.noise_maps(keys)
    images = generator.synthesise_with_noise(styles, maps)
    np.testing.assert_array_equal(images, generator.synthesise(styles, keys))
    assert np.any(images != generator.synthesise_with_noise(styles, [2.0 * each for each in maps]))
    # The noise of one row is added to all rows.
    alike = generator.synthesise_with_noise(styles, [each[1:2] for each in maps])
    np.testing.assert_allclose(alike[1], images[1], atol=1e-5)
    with pytest.raises(ValueError, match="a noise map for each of 3 layers"):
        generator.synthesise_with_noise(styles, maps[:2])
    assert new(noise="none").noise_maps(keys) == []


def test_correlated_noise_is_smoother():
    images = {}
    keys = tf.constant([[i, 0] for i in range(3)], tf.int64)
    for coefficient in (0.0, 0.9):
        generator = new(noise_correlation=coefficient)
        images[coefficient] = [noise.numpy() for noise in generator.noise_maps(keys)][-1]
    rough, smooth = (np.square(np.diff(images[c], axis=1)).mean() for c in (0.0, 0.9))
    assert smooth < 0.5 * rough


def test_a_class_may_be_a_row_of_weights():
    networks = model()
    generator, discriminator = networks.generator(), networks.discriminator()
    weights = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(generator.embed(np.arange(3)), generator.embed(weights), atol=1e-6)
    images = np.zeros((3, 8, 8, 3), np.float32)
    np.testing.assert_allclose(
        discriminator((images, np.arange(3))).logits, discriminator((images, weights)).logits, atol=1e-6
    )
    with pytest.raises(ValueError, match="a column for each of 3 classes"):
        generator.embed(np.zeros((3, 4)))


def test_problems_are_named():
    problems = " ".join(
        model(resolution=24, channel_base=4, noise="rnadom", deviation_channels=3, channel_max=10).problems()
    )
    assert "power of two" in problems
    assert "did you mean random" in problems
    assert "channel_base must be at least" in problems
    assert "deviation_channels must divide" in model(deviation_channels=3).problems().__next__()


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [
        ("deviation_group", (0, -1), (1, 4, None)),
        ("class_dim", (0, -1), (1, None)),
        ("clamp", (0.0, -256.0, float("nan")), (0.5, None)),
        ("truncation_cutoff", (-1,), (0, 4, None)),
    ],
)
def test_a_number_that_may_be_missing_must_be_possible_where_it_is_given(field, wrong, right):
    for value in wrong:
        (problem,) = model(**{field: value}).problems()
        assert problem.startswith(f"model.{field} must be")
        assert f"Received: {value};" in problem
    for value in right:
        assert list(model(**{field: value}).problems()) == []


def test_a_folded_generator_without_noise_stores_none_of_its_numbers():
    generators = [new(noise=noise) for noise in ("constant", "none")]
    constant, none = (len(generator.config.fold(generator, {}).in_use) for generator in generators)
    # Each convolution has a strength and a noise map.
    assert constant - none == 2 * len(generators[0].convolutions)
