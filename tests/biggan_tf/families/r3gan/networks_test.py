"""R3GAN's networks: sizes that were published, and what a new network computes."""

import dataclasses
import importlib

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.r3gan.blocks import block_gain
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.training import cost
from tests.biggan_tf.families.r3gan.smallest import model

# Millions of parameters of G and D in the authors' table of presets.
PUBLISHED = {
    "r3gan_cifar10": (20.78, 21.28),
    "r3gan_imagenet_32": (82.91, 86.55),
    "r3gan_imagenet_64": (103.57, 107.21),
}
FFHQ = {
    64: ((768,) * 4 + (384,), (96,) * 4 + (48,), (22.43, 22.38)),
    256: ((768,) * 4 + (384, 192, 96), (96,) * 4 + (48, 24, 12), (23.06, 23.01)),
}


def millions(numbers):
    return tuple(round(number / 1e6, 2) for number in numbers)


@pytest.mark.parametrize("recipe", sorted(PUBLISHED))
def test_parameters_of_a_recipe_are_as_many_as_published(recipe):
    run = importlib.import_module(f"configs.{recipe}").get_config()
    assert millions(cost.parameter_counts(run.model)) == PUBLISHED[recipe]


@pytest.mark.slow  # A convolution for each of 96 groups takes 10 s to trace.
@pytest.mark.parametrize("recipe", sorted(PUBLISHED))
def test_a_dry_run_of_a_recipe_counts_the_published_parameters(recipe):
    report = cost.report(importlib.import_module(f"configs.{recipe}").get_config())["parameters"]
    assert millions((report["generator"], report["discriminator"])) == PUBLISHED[recipe]


@pytest.mark.parametrize("resolution", sorted(FFHQ))
def test_parameters_are_as_many_as_published_without_classes(resolution):
    widths, cardinalities, published = FFHQ[resolution]
    networks = R3GANConfig(resolution=resolution, widths=widths, cardinalities=cardinalities, blocks=(2,) * len(widths))
    assert millions(cost.parameter_counts(networks)) == published


def test_new_blocks_are_the_identity_and_weights_have_the_authors_deviations():
    networks = model(widths=(48, 40), cardinalities=(4, 4), blocks=(2, 1), z_dim=40, num_classes=30, class_dim=24)
    generator, discriminator = networks.generator(), networks.discriminator()
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 40)).astype(np.float32)
    np.testing.assert_array_equal(generator.stages[1][1][0](x), x)
    gain = np.sqrt(2 / 1.04) * 3 ** (-1 / 4)
    assert block_gain(3) == pytest.approx(gain)
    block = discriminator.stages[0][0][0]
    expected = [
        (generator.basis, 1.0),
        (generator.dense.kernel, 1 / np.sqrt(64)),
        (generator.class_embedding.kernel, 1 / np.sqrt(30)),
        (generator.stages[1][0].conv.kernel, 1 / np.sqrt(48)),
        (block.conv_1.kernel, gain / np.sqrt(40)),
        (block.conv_2.kernel, gain / np.sqrt(9 * 80 / 4)),
        (discriminator.basis, 1 / 4),
        (discriminator.dense.kernel, 1 / np.sqrt(48)),
        (discriminator.class_embedding.kernel, 1 / np.sqrt(48)),
    ]
    for variable, deviation in expected:
        assert np.std(variable) == pytest.approx(deviation, rel=0.15), variable.path


def test_a_block_is_the_authors_in_numpy():
    generator = model(widths=(6, 4), policy="float64").generator()
    block = generator.stages[1][1][0]
    random = np.random.default_rng(1)
    for variable in block.trainable_variables:
        variable.assign(random.standard_normal(variable.shape))
    x = random.standard_normal((2, 8, 8, 4))
    kernels = [np.asarray(layer.kernel) for layer in (block.conv_1, block.conv_2, block.conv_3)]
    biases = [np.asarray(bias) for bias in (block.bias_1, block.bias_2)]

    def leaky(y):
        return np.where(y > 0, y, 0.2 * y)

    y = leaky(x @ kernels[0][0, 0] + biases[0])
    padded = np.pad(y, [(0, 0), (1, 1), (1, 1), (0, 0)])
    grouped = np.zeros_like(y)
    for group in (slice(0, 4), slice(4, 8)):
        for row in range(3):
            for column in range(3):
                part = padded[:, row : row + 8, column : column + 8, group]
                grouped[..., group] += part @ kernels[1][row, column, :, group]
    expected = x + leaky(grouped + biases[1]) @ kernels[2][0, 0]
    # TensorFlow's leaky ReLU rounds its slope to float32.
    np.testing.assert_allclose(block(tf.constant(x)), expected, rtol=0, atol=1e-6)


def test_stages_at_low_resolution_compute_in_float32_under_a_mixed_policy():
    generator = model(policy="mixed_bfloat16").generator()
    assert [blocks[0].compute_dtype for _, blocks in generator.stages] == ["float32", "bfloat16"]


def test_a_class_may_be_a_row_of_weights():
    networks = model()
    generator, discriminator = networks.generator(), networks.discriminator()
    weights = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(generator.embed(np.arange(3)), generator.embed(weights), atol=1e-6)
    images = np.ones((3, 8, 8, 3), np.float32)
    np.testing.assert_allclose(
        discriminator((images, np.arange(3))).logits, discriminator((images, weights)).logits, atol=1e-6
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"blocks": (1,)}, "model.blocks must have a number"),
        ({"resolution": 16}, "must have a stage for each of the resolutions"),
        ({"cardinalities": (5, 2)}, "model.cardinalities must divide"),
        ({"widths": (), "cardinalities": (), "blocks": ()}, "must have a stage"),
        ({"discriminator_class_dim": 0}, "model.discriminator_class_dim must be at least 1"),
    ],
)
def test_problems_are_named(fields, words):
    assert words in " ".join(dataclasses.replace(model(), **fields).problems())
