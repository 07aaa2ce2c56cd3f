"""What both networks do as wholes: shapes, bad input, serialisation, XLA, replicas, precision, unconditional use."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.biggan.blocks import DeepDiscriminatorBlock, DiscriminatorBlock
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.inference.batch_norm_moments import moments_of
from tests.biggan_tf.families.biggan.models import small
from tests.biggan_tf.kernel_library import bfloat16
from tests.two_replicas import two_replicas

__all__ = ["bfloat16"]

random = np.random.default_rng(0)
Z = random.standard_normal((4, 16)).astype(np.float32)
LABELS = np.array([0, 6, 3, 3])
IMAGES = random.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)

both = pytest.mark.parametrize("architecture", ["biggan", "biggan_deep"])
# Tracing the deep network twice takes half a minute.
deep_is_slow = pytest.mark.parametrize("architecture", ["biggan", pytest.param("biggan_deep", marks=pytest.mark.slow)])


def _generate(generator, **options):
    return generator((Z, generator.embed(LABELS)), **options)


@both
@pytest.mark.parametrize("reference", ["paper", "ajbrock", "compare_gan", "tfhub"])
def test_every_reference_runs(architecture, reference):
    model = small(architecture=architecture, reference=reference)
    images = _generate(Generator(model), training=True)
    assert images.shape == (4, 32, 32, 3)
    assert np.abs(images).max() <= 1
    assert Discriminator(model)((images, LABELS), training=True).logits.shape == (4,)


@deep_is_slow
def test_filtered_resampling_runs_and_an_export_computes_the_same(architecture):
    model = small(architecture=architecture, resampling="filtered", policy="float32")
    generator, discriminator = Generator(model), Discriminator(model)
    images = _generate(generator)
    assert images.shape == (4, 32, 32, 3)
    assert np.abs(images - _generate(Generator(small(architecture=architecture)))).max() > 1e-3
    with tf.GradientTape() as tape:
        logits = discriminator((images, LABELS), training=True).logits
    gradients = tape.gradient(logits, [weight.value for weight in discriminator.trainable_variables])
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    folded = model.fold(generator, moments_of(generator))
    for row in range(4):
        one = folded(Z[row : row + 1], generator.embed(LABELS[row : row + 1]), tf.ones([1]))
        np.testing.assert_allclose(one, images[row : row + 1], atol=1e-5)


@both
@pytest.mark.parametrize("resolution", [64, 128, 256, 512])
def test_every_resolution_of_the_table_runs(architecture, resolution):
    chunks = resolution.bit_length() - 2
    model = small(
        architecture=architecture,
        resolution=resolution,
        z_dim=2 * chunks,
        generator_channels=4,
        discriminator_channels=4,
        initializer="normal",
        generator_attention=(),
        discriminator_attention=(),
    )
    generator = Generator(model)
    images = generator((Z[:1, : 2 * chunks], generator.embed(LABELS[:1])))
    assert images.shape == (1, resolution, resolution, 3)
    assert Discriminator(model)((images, LABELS[:1])).logits.shape == (1,)


@both
def test_own_tables_give_other_sizes_and_widths(architecture):
    model = small(
        architecture=architecture,
        resolution=16,
        z_dim=18,
        generator_attention=(),
        discriminator_attention=(),
        generator_table=(3, 2, 1),
        discriminator_table=(1, 2, 3),
    )
    generator = Generator(model)
    images = generator((np.tile(Z, 2)[:, :18], generator.embed(LABELS)))
    assert images.shape == (4, 16, 16, 3)
    assert Discriminator(model)((images, LABELS)).logits.shape == (4,)


@both
@pytest.mark.parametrize("hierarchical", [False, True])
def test_unconditional_networks_run(architecture, hierarchical):
    model = small(architecture=architecture, num_classes=0, hierarchical=hierarchical)
    generator = Generator(model)
    images = generator(Z, training=True)
    assert images.shape == (4, 32, 32, 3)
    assert Discriminator(model)(images, training=True).logits.shape == (4,)
    with pytest.raises(ValueError, match="has no class embedding"):
        generator.embed(LABELS)


@both
def test_a_mixture_of_classes_is_an_ordinary_embedding(architecture):
    generator = Generator(small(architecture=architecture, policy="float64"))
    mixed = np.eye(7)[LABELS] @ np.asarray(generator.class_embedding.kernel)
    np.testing.assert_allclose(generator((Z, mixed)), _generate(generator), rtol=0, atol=1e-12)


@pytest.mark.processor
@both
def test_rows_are_independent_in_evaluation(architecture):
    generator = Generator(small(architecture=architecture, policy="float64"))
    alone = generator((Z[2:3], generator.embed(LABELS[2:3])))
    np.testing.assert_allclose(alone[0], _generate(generator)[2], rtol=0, atol=1e-12)


def test_every_chunk_of_z_matters_to_its_own_block():
    generator = Generator(small(generator_attention=()))
    seen = {}
    for i, layers in enumerate(generator.blocks):
        norm = layers[0].norm_1
        norm.call = lambda x, condition=None, _i=i, _call=norm.call, **k: (
            seen.__setitem__(_i, np.asarray(condition)),
            _call(x, condition, **k),
        )[1]
    _generate(generator)
    embedding = np.asarray(generator.embed(LABELS))
    for i in range(3):
        np.testing.assert_array_equal(seen[i], np.concatenate([embedding, Z[:, 4 * (i + 1) : 4 * (i + 2)]], 1))


@pytest.mark.processor
@both
def test_fused_equals_plain(architecture):
    networks = [
        Generator(small(architecture=architecture, fused_resampling=f, policy="float64")) for f in (True, False)
    ]
    networks[1].set_weights(networks[0].get_weights())
    results = []
    for generator in networks:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(_generate(generator, training=True) - IMAGES))
        gradients = tape.gradient(loss, generator.trainable_variables)
        results.append([loss, *(tf.convert_to_tensor(gradient) for gradient in gradients)])
    whole = tf.linalg.global_norm(results[1])
    for fused, plain, variable in zip(*results, [None, *networks[0].trainable_variables], strict=True):
        # A bias before a batch norm has gradient zero: what is left of it is a rounding error of the whole.
        tolerance = 1e-9 * tf.norm(plain) + 1e-12 * whole
        assert tf.norm(fused - plain) <= tolerance, variable and variable.path


@both
@pytest.mark.parametrize(("reference", "last"), [("ajbrock", 1e-5), ("paper", 1e-2), ("tfhub", 1e-2)])
def test_last_batch_norm_keeps_its_own_epsilon_in_the_pytorch_biggan(architecture, reference, last):
    """That code hands BN_eps to the blocks alone."""
    model = small(architecture=architecture, reference=reference, batch_norm_epsilon=1e-2, policy="float64")
    generator = Generator(model)
    first = generator.blocks[0][0]
    assert (first.norms[0] if model.is_deep else first.norm_1).norm.options.epsilon == 1e-2
    norm, x = generator.final_norm, random.standard_normal((2, 4, 4, generator.levels[-1].out_channels))
    expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + last)
    np.testing.assert_allclose(norm(x, training=True), expected, rtol=1e-9, atol=1e-12)


def _images_and_gradients(generator):
    with tf.GradientTape() as tape:
        images = _generate(generator, training=True)
        loss = tf.reduce_sum(images * tf.cast(IMAGES, images.dtype))
    gradients = tape.gradient(loss, generator.trainable_variables)
    whole = tf.concat([tf.reshape(tf.convert_to_tensor(gradient), [-1]) for gradient in gradients], 0)
    return [np.asarray(value, np.float64) for value in (images, whole)]


@pytest.mark.usefixtures(bfloat16.__name__)
@deep_is_slow
def test_fusing_loses_no_precision_in_bfloat16(architecture):
    """Over images and gradients, fused comes about as near to float64 as plain does.

    How near that is, the kernel library decides: some add up in float32, some in bfloat16, and not the same ones
    forward and backward. So neither is held to a number, and the two ratios are taken together.
    """
    keras.utils.set_random_seed(0)
    exact = Generator(small(architecture=architecture, policy="float64"))
    weights = exact.get_weights()
    expected = _images_and_gradients(exact)
    errors = []
    for fused in (True, False):
        mixed = Generator(small(architecture=architecture, policy="mixed_bfloat16", fused_resampling=fused))
        mixed.set_weights(weights)
        got = _images_and_gradients(mixed)
        errors.append([np.linalg.norm(one - other) for one, other in zip(got, expected, strict=True)])
    of_images, of_gradients = np.divide(*errors)
    assert np.sqrt(of_images * of_gradients) <= 1.2


@both
def test_networks_save_and_load(architecture, tmp_path):
    model = small(architecture=architecture)
    for network, inputs in (
        (Generator(model), (Z, np.zeros((4, 6), np.float32))),
        (Discriminator(model), (IMAGES, LABELS)),
    ):
        expected = keras.tree.flatten(network(inputs))
        network.save(tmp_path / "network.keras")
        loaded = keras.saving.load_model(tmp_path / "network.keras")
        for got, wanted in zip(keras.tree.flatten(loaded(inputs)), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
        assert loaded.config == model


@deep_is_slow
def test_networks_compile_under_xla(architecture):
    model = small(architecture=architecture, policy="float64")
    generator, discriminator = Generator(model), Discriminator(model)
    weights = generator.get_weights()

    def step(z, labels):
        images = generator((z, generator.class_embedding(labels)), training=True)
        return discriminator((images, labels), training=True).logits

    state = discriminator.get_weights()
    got = tf.function(step, jit_compile=True)(tf.constant(Z), tf.constant(LABELS))
    generator.set_weights(weights)
    discriminator.set_weights(state)
    np.testing.assert_allclose(got, step(Z, LABELS), rtol=0, atol=1e-9)


@deep_is_slow
def test_two_replicas_equal_one(architecture):
    model = small(architecture=architecture, policy="float64")
    strategy = two_replicas()
    with strategy.scope():
        networks = Generator(model), Discriminator(model)
    alone = Generator(model), Discriminator(model)
    for one, other in zip(networks, alone, strict=True):
        other.set_weights(one.get_weights())

    def logits(pair, z, labels):
        images = pair[0]((z, pair[0].embed(labels)), training=True)
        return pair[1]((images, labels), training=True).logits

    def share(array):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(np.split(array, 2)[context.replica_id_in_sync_group])
        )

    run = tf.function(lambda z, labels: strategy.run(lambda *inputs: logits(networks, *inputs), (z, labels)))
    parts = strategy.experimental_local_results(run(share(Z), share(LABELS)))
    np.testing.assert_allclose(np.concatenate(parts), logits(alone, Z, LABELS), rtol=0, atol=1e-9)
    for one, other in zip(networks[0].get_weights(), alone[0].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)


@pytest.mark.processor
@pytest.mark.parametrize(
    ("architecture", "policy"), list(itertools.product(["biggan", "biggan_deep"], ["mixed_bfloat16", "mixed_float16"]))
)
def test_mixed_precision_is_close_and_returns_float32(architecture, policy, request):
    """Close: the images are the same ones. How near half precision comes is the kernel library's affair."""
    if policy == "mixed_bfloat16":
        request.getfixturevalue(bfloat16.__name__)
    exact, mixed = (Generator(small(architecture=architecture, policy=p)) for p in ("float64", policy))
    mixed.set_weights(exact.get_weights())
    expected, got = _generate(exact, training=True), _generate(mixed, training=True)
    assert got.dtype == "float32"
    assert np.corrcoef(np.ravel(got), np.ravel(expected))[0, 1] > 0.99
    logits = Discriminator(mixed.config)((got, LABELS), training=True).logits
    assert logits.dtype == "float32"


BAD = [
    (lambda g, d: g((Z[0], g.embed(LABELS))), r"z must have 2 axes, the last of size 16. Received: shape \(16,\)"),
    (lambda g, d: g((Z[:, :8], g.embed(LABELS))), r"Received: shape \(4, 8\)"),
    (lambda g, d: g((Z, Z)), r"embedding must have 2 axes, the last of size 6"),
    (lambda g, d: g(Z), "must be called with \\(z, embedding\\)"),
    (lambda g, d: g.embed(np.array([0, 7])), r"labels must lie in 0 ... 6. Received: \[7\]"),
    (lambda g, d: g.embed(np.array([-1])), r"Received: \[-1\]"),
    (lambda g, d: g.embed(np.array([0.5])), "labels must be integers"),
    (lambda g, d: g.embed(np.array([[1]])), r"a column for each of 7 classes. Received: shape \(1, 1\)"),
    (lambda g, d: g.embed(np.array([[[1]]])), "labels must be a vector"),
    (lambda g, d: d((IMAGES[..., :1], LABELS)), r"Received: shape \(4, 32, 32, 1\)"),
    (lambda g, d: d((IMAGES[0], LABELS)), r"Received: shape \(32, 32, 3\)"),
    (lambda g, d: d((IMAGES.transpose(0, 3, 1, 2), LABELS)), "transpose them from NCHW"),
    (lambda g, d: d((IMAGES, LABELS + 7)), "labels must lie in 0 ... 6"),
    (lambda g, d: d(IMAGES), "images alone"),
]


@pytest.fixture(scope="module")
def pair():
    return Generator(BigGANConfig(**vars(small()))), Discriminator(small())


@pytest.mark.parametrize("block", [DiscriminatorBlock, DeepDiscriminatorBlock])
@pytest.mark.parametrize("downsample", [True, False])
def test_a_pooling_that_there_is_not_is_named(block, downsample):
    with pytest.raises(ValueError, match=r"pooling must be one of mean, filtered\. Received: 'max'"):
        block(8, downsample, pooling="max")


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_named(pair, call, message):
    with pytest.raises(ValueError, match=message):
        call(*pair)
