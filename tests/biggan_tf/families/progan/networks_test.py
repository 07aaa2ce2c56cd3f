"""Progressively growing networks: values as NumPy reads the paper, levels of detail, tables and sizes."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.biggan.tables import GENERATOR_CHANNELS
from biggan_tf.families.progan import tensorflow_names
from biggan_tf.families.progan.config import ProGANConfig
from biggan_tf.inference.batch_norm_moments import moments_of
from biggan_tf.interop import from_state_dict
from biggan_tf.interop.weight_map import extract
from biggan_tf.ops.fading import fade, faded_images
from biggan_tf.training import cost
from tests.biggan_tf.families.progan.smallest import config, model

RANDOM = np.random.default_rng(0)
Z = RANDOM.standard_normal((4, 8))
LABELS = np.array([0, 2, 1, 0])
IMAGES = RANDOM.uniform(-1, 1, (4, 8, 8, 3))
LODS = [0.0, 0.3, 1.0]
SLOPE = float(np.float32(0.2))  # TensorFlow's operation holds it in float32 whatever it computes in


def leaky(x):
    return np.maximum(x, SLOPE * x)


def pixel_norm(x):
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-8)


def convolve(x, kernel):
    size = kernel.shape[0]
    padded = np.pad(x, [(0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)])
    height, width = x.shape[1:3]
    rows = [(i, j) for i in range(size) for j in range(size)]
    return sum(padded[:, i : i + height, j : j + width] @ kernel[i, j] for i, j in rows)


def up(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def down(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def he(kernel):
    return kernel * np.sqrt(2.0 / np.prod(kernel.shape[:-1]))


def numpys_image(tensors, vector, lod):
    """The generator at 8 pixels with the tensors of the authors' code that fuses nothing."""
    weights = {name: np.asarray(value) for name, value in tensors.items()}
    x = pixel_norm(vector) @ weights["4x4/Dense/weight"] * np.sqrt(2.0) / 4 / np.sqrt(vector.shape[1])
    x = x.reshape(len(x), -1, 4, 4).transpose(0, 2, 3, 1)
    x = pixel_norm(leaky(x + weights["4x4/Dense/bias"]))
    images = []
    for scope, level in (("4x4/Conv", 1), ("8x8/Conv0", None), ("8x8/Conv1", 0)):
        x = up(x) if scope == "8x8/Conv0" else x
        x = pixel_norm(leaky(convolve(x, he(weights[f"{scope}/weight"])) + weights[f"{scope}/bias"]))
        if level is not None:
            kernel = weights[f"ToRGB_lod{level}/weight"]
            images.append(x @ kernel[0, 0] / np.sqrt(kernel.shape[2]) + weights[f"ToRGB_lod{level}/bias"])
    return images[1] + (up(images[0]) - images[1]) * lod


def numpys_answers(tensors, images, lod, average_first, group):
    """The discriminator at 8 pixels, likewise."""
    weights = {name: np.asarray(value) for name, value in tensors.items()}

    def layer(scope, x, halves=False):
        x = convolve(x, he(weights[f"{scope}/weight"]))
        if halves and average_first:
            return leaky(down(x) + weights[f"{scope}/bias"])
        x = leaky(x + weights[f"{scope}/bias"])
        return down(x) if halves else x

    x = layer("8x8/Conv1", layer("8x8/Conv0", layer("FromRGB_lod0", images)), halves=True)
    x = x + (layer("FromRGB_lod1", down(images)) - x) * lod
    if group > 1:
        groups = x.reshape(group, len(x) // group, *x.shape[1:])
        deviation = np.sqrt(groups.var(axis=0) + 1e-8).mean(axis=(1, 2, 3))
        plane = np.tile(deviation, group)[:, None, None, None]
        x = np.concatenate([x, np.broadcast_to(plane, (*x.shape[:3], 1))], axis=-1)
    x = layer("4x4/Conv", x).transpose(0, 3, 1, 2).reshape(len(x), -1)
    x = leaky(x @ he(weights["4x4/Dense0/weight"]) + weights["4x4/Dense0/bias"])
    kernel = weights["4x4/Dense1/weight"]
    return x @ kernel / np.sqrt(len(kernel)) + weights["4x4/Dense1/bias"]


def networks(fused, **fields):
    """Both networks with random biases, and their tensors as code that fuses nothing holds them."""
    made = model(policy="float64", averages_before_activation=fused, **fields)
    both = made.generator(), made.discriminator()
    for network in both:
        for variable in network.trainable_variables:
            variable.assign(RANDOM.standard_normal(variable.shape))
    names = tensorflow_names
    return *both, extract(names.generator_entries(both[0], False)), extract(names.discriminator_entries(both[1], False))


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("num_classes", "group"), [(3, 2), (0, 4), (3, 0)])
def test_networks_compute_what_numpy_reads_in_the_paper(fused, num_classes, group):
    generator, discriminator, g_tensors, d_tensors = networks(fused, num_classes=num_classes, deviation_group=group)
    embedding = generator.embed(LABELS) if num_classes else None
    vector = Z if embedding is None else np.concatenate([Z, np.eye(3)[LABELS]], axis=1)
    for lod in LODS:
        generator.lod.assign(lod)
        discriminator.lod.assign(lod)
        images = generator.synthesise(generator.styles(tf.constant(Z), embedding))
        np.testing.assert_allclose(images, numpys_image(g_tensors, vector, lod), rtol=1e-9, atol=1e-9)
        judgement = discriminator((IMAGES, LABELS) if num_classes else IMAGES)
        expected = numpys_answers(d_tensors, IMAGES, lod, fused, group)
        np.testing.assert_allclose(judgement.logits, expected[:, 0], rtol=1e-9, atol=1e-9)
        assert set(judgement.heads) == ({"classes"} if num_classes else set())
        if num_classes:
            np.testing.assert_allclose(judgement.heads["classes"], expected[:, 1:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("fused", [True, False])
def test_networks_come_back_from_the_names_of_the_authors(fused):
    generator, discriminator, _, _ = networks(fused, num_classes=3)
    names = tensorflow_names
    given = (
        extract(names.generator_entries(generator, fused)),
        extract(names.discriminator_entries(discriminator, fused)),
    )
    settings = {"resolution": 8, "label_size": 3, "latent_size": 8, "fmap_base": 24, "fmap_max": 10}
    settings |= {"mbstd_group_size": 4, "fused_scale": fused}
    loaded = from_state_dict("progan", settings, given[0] | {"lod": np.float32(0.25)}, given[1], policy="float64")
    for network, ours in zip(loaded, (generator, discriminator), strict=True):
        assert network.config == ours.config
        for one, other in zip(network.trainable_variables, ours.trainable_variables, strict=True):
            np.testing.assert_array_equal(one, other)
    assert (float(loaded[0].lod), float(loaded[1].lod)) == (0.25, 0.0)
    with pytest.raises(ValueError, match="use_pixelnorm must be True"):
        from_state_dict("progan", {**settings, "use_pixelnorm": False}, given[0])


def test_a_network_that_has_not_grown_gives_the_doubled_image_of_its_level():
    generator = model(resolution=16, num_classes=0).generator()
    z = Z.astype(np.float32)
    generator.training_size = 8
    generator.lod.assign(1.0)
    small = generator(z, training=True).numpy()
    assert small.shape == (4, 8, 8, 3)
    np.testing.assert_array_equal(generator(z).numpy(), up(small))


def test_a_discriminator_answers_smaller_images_as_it_answers_them_doubled():
    discriminator = model(resolution=16, num_classes=0, policy="float64").discriminator()
    discriminator.lod.assign(1.25)
    np.testing.assert_allclose(discriminator(IMAGES).logits, discriminator(up(IMAGES)).logits, rtol=1e-12)
    with pytest.raises(ValueError, match="one of 4, 8, 16"):
        discriminator(IMAGES[:, :6, :6])


def test_fading_is_the_new_or_the_old_to_the_bit_at_its_ends():
    new, old = (tf.constant(RANDOM.standard_normal((1, 2, 2, 3)), tf.float32) for _ in range(2))
    np.testing.assert_array_equal(fade(new, old, tf.constant(-0.5)), new)
    np.testing.assert_array_equal(fade(new, old, tf.constant(1.5)), old)
    np.testing.assert_allclose(fade(new, old, tf.constant(0.25)), 0.75 * new + 0.25 * old, rtol=1e-6)
    images = tf.constant(IMAGES)
    np.testing.assert_array_equal(faded_images(images, tf.constant(2.0)), IMAGES)
    half = IMAGES + (up(down(IMAGES)) - IMAGES) * 0.5
    np.testing.assert_allclose(faded_images(images, tf.constant(1.5)), half, rtol=0, atol=1e-12)


@pytest.mark.parametrize("resolution", sorted(GENERATOR_CHANNELS))
def test_channels_may_be_those_of_biggan(resolution):
    made = ProGANConfig(resolution=resolution, channel_table="biggan", channel_multiplier=3)
    assert list(made.problems()) == []
    assert tuple(map(made.channels, made.levels)) == tuple(3 * n for n in GENERATOR_CHANNELS[resolution])


def test_channels_may_be_those_of_the_paper():
    made = ProGANConfig(resolution=1024)
    # arXiv:1710.10196, table 2.
    assert tuple(map(made.channels, made.levels)) == (512, 512, 512, 512, 256, 128, 64, 32, 16)


def test_parameters_are_as_many_as_the_papers_table_says():
    run = config()
    run.model = ProGANConfig(resolution=1024)
    report = cost.report(run)["parameters"]
    # arXiv:1710.10196, table 2: 23.1 million each.
    assert (round(report["generator"] / 1e5), round(report["discriminator"] / 1e5)) == (231, 231)


def test_problems_are_named():
    problems = " ".join(model(resolution=24, channel_base=4, channel_table="biggann").problems())
    assert "power of two" in problems
    assert "did you mean biggan" in problems
    assert "32, 64, 128, 256, 512" in " ".join(model(channel_table="biggan").problems())
    assert "channel_base must be at least" in " ".join(model(channel_base=4).problems())


def test_a_folded_generator_keeps_its_level_of_detail():
    generator = model(num_classes=0).generator()
    z = Z.astype(np.float32)
    generator.lod.assign(0.75)
    folded = generator.config.fold(generator, moments_of(generator))
    np.testing.assert_allclose(folded(z, None, np.ones(4, np.float32)), generator(z), rtol=0, atol=1e-6)
