import base64
import http.client
import io
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.config import ModelConfig
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.networks.discriminator import Discriminator
from biggan_tf.networks.generator import Generator
from serving import signatures as s
from serving.client import GeneratorClient
from serving.export import export_generator as module
from serving.export.export_generator import export_generator
from serving.export.inference_generator import fold, fold_discriminator, layers_of, moments_of
from serving.export.infra_validation import ExportError
from serving.export.row_latents import row_latents
from serving.export.served_generator import ServedGenerator, to_uint8
from serving.server.loaded_model import LoadedModel
from tests.free_port import free_port
from tests.serving.embedded import running

LABELS = [{"synset": f"n{i:08d}", "name": f"thing {i}"} for i in range(10)]


@pytest.fixture(scope="module")
def generator():
    config = ModelConfig(resolution=32, generator_channels=8, num_classes=10)
    made = Generator(config)
    rng = np.random.default_rng(3)
    for weight in made.weights:
        # Every weight takes part: gamma of the attention starts at zero.
        if weight.trainable:
            weight.assign(weight + rng.normal(0, 0.05, weight.shape))
    return made


@pytest.fixture(scope="module")
def moments(generator):
    rng = np.random.default_rng(5)
    return {
        path: (
            rng.normal(0, 0.2, (11, layer.moving_mean.shape[-1])).astype(np.float32),
            rng.uniform(0.5, 2, (11, layer.moving_mean.shape[-1])).astype(np.float32),
        )
        for path, layer in layers_of(generator, BatchNorm).items()
    }


@pytest.fixture(scope="module")
def exported(generator, moments, tmp_path_factory):
    base = str(tmp_path_factory.mktemp("export") / "base")
    return export_generator(generator, moments, base, LABELS, {"images_seen": 7}, batch_sizes=(1, 2))


@pytest.mark.slow
def test_the_export_was_served_and_holds_its_assets(exported):
    assert os.path.basename(exported) == "1"
    assert not [name for name in os.listdir(os.path.dirname(exported)) if name.startswith("staging")]
    with open(os.path.join(exported, "assets", s.LABELS_ASSET)) as file:
        assert json.load(file)[3]["name"] == "thing 3"
    with open(os.path.join(exported, "assets", s.PROVENANCE_ASSET)) as file:
        assert json.load(file)["images_seen"] == 7
    assert os.path.exists(os.path.join(exported, s.WARMUP_FILE))


@pytest.mark.slow
def test_signatures_are_those_of_the_specification(exported):
    model = LoadedModel(exported, ["serve"], None, None)
    for name in (s.SAMPLE, s.SYNTHESIZE, s.SYNTHESIZE_PNG, s.LATENTS, s.EMBED):
        definition = model.signatures[name]
        assert set(definition.inputs) == set(s.SIGNATURES[name].inputs)
        assert set(definition.outputs) == set(s.SIGNATURES[name].outputs)
        for alias, info in definition.inputs.items():
            assert tf.as_dtype(info.dtype).name == s.SIGNATURES[name].inputs[alias].dtype
            assert info.tensor_shape.dim[0].size == -1
    model.close()


@pytest.mark.slow
def test_a_row_is_bit_identical_in_every_batch_and_the_png_is_the_eager_picture(exported, generator, moments):
    model = LoadedModel(exported, ["serve"], None, None)
    rng = np.random.default_rng(0)
    rows = {
        s.LABEL: rng.integers(0, 10, 8).astype(np.int32),
        s.SEED: rng.integers(0, 2**40, 8),
        s.TRUNCATION: rng.uniform(0.05, 1, 8).astype(np.float32),
    }
    full, pngs = model.run(s.SAMPLE, rows, (s.IMAGES, s.IMAGE_BYTES), None)
    for start, stop in ((0, 1), (7, 8), (2, 5), (1, 8)):
        part = {k: v[start:stop] for k, v in rows.items()}
        np.testing.assert_array_equal(model.run(s.SAMPLE, part, (s.IMAGES,), None)[0], full[start:stop])
    for picture, png in zip(full, pngs, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), picture)
    eager = ServedGenerator(fold(generator, moments))._sample(**{k: tf.constant(v) for k, v in rows.items()})
    assert list(eager[s.IMAGE_BYTES].numpy()) == list(pngs)
    assert full.std() > 1
    model.close()


def test_latents_stay_inside_the_truncation_and_follow_the_normal_law():
    seeds = tf.range(400, dtype=tf.int64)
    z = row_latents(seeds, tf.fill([400], 1.0), 40).numpy()
    # A standard normal cut at 1 has variance 0.2911.
    assert abs(z.var() - 0.2911) < 0.01
    assert np.abs(z).max() <= 1
    small = row_latents(seeds[:4], tf.fill([4], 0.02), 40).numpy()
    assert np.abs(small).min() > 0
    assert np.abs(small).max() <= np.float32(0.02)


@pytest.mark.processor
def test_folding_keeps_the_images_and_leaves_the_generator_alone(generator, moments):
    before = generator.get_weights()
    reference = module._reference(generator, moments, {"z_dim": generator.model_config.z_dim, "num_classes": 10})
    folded = fold(generator, moments)
    embedding = generator.embed(np.arange(3))
    images = [
        folded(
            *(tf.constant(value[row : row + 1]) for value in (reference[s.LATENT], embedding, reference[s.TRUNCATION]))
        )
        for row in range(3)
    ]
    images = tf.concat(images, 0)
    np.testing.assert_allclose(images, reference[s.IMAGES], atol=1e-5)
    for weight, old in zip(generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.slow
def test_bad_labels_and_truncations_are_named(exported):
    model = LoadedModel(exported, ["serve"], None, None)
    good = {s.LABEL: np.array([1], np.int32), s.SEED: np.array([1]), s.TRUNCATION: np.array([0.5], np.float32)}
    for alias, value, text in (
        (s.LABEL, np.array([10], np.int32), r"label must be in \[0, 10\)"),
        (s.TRUNCATION, np.array([1.5], np.float32), r"truncation must be in \[0.02, 1.0\]"),
    ):
        with pytest.raises(Exception, match=text):
            model.run(s.SAMPLE, {**good, alias: value}, (s.IMAGES,), None)
    model.close()


@pytest.mark.slow
def test_a_failed_validation_leaves_nothing_and_numbers_are_not_reused(exported, generator, moments, monkeypatch):
    base = os.path.dirname(exported)
    wrong = module._reference(generator, moments, {"z_dim": generator.model_config.z_dim, "num_classes": 10})
    wrong[s.IMAGES] = wrong[s.IMAGES] + 0.1
    before = sorted(os.listdir(base))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_reference", lambda *unused: wrong)
        with pytest.raises(ExportError, match=r"differ from the generator's by 0\.1"):
            export_generator(generator, moments, base, LABELS, {}, batch_sizes=(1,))
    assert sorted(os.listdir(base)) == before


@pytest.mark.slow
def test_grpc_rest_and_the_eager_generator_give_the_same_png(exported, generator, moments):
    rest = free_port()
    row = {s.LABEL: 3, s.SEED: 2**40 + 1, s.TRUNCATION: 0.4}
    options = {"model_base_path": os.path.dirname(exported), "model_name": "biggan", "rest_api_port": rest}
    with running(**options) as (_, target), GeneratorClient(target) as client:
        over_grpc = client.sample_png([row[s.LABEL]], [row[s.SEED]], row[s.TRUNCATION])[0]
        connection = http.client.HTTPConnection("127.0.0.1", rest, timeout=60)
        connection.request("POST", "/v1/models/biggan:predict", json.dumps({"instances": [row]}))
        answer = json.loads(connection.getresponse().read())
        connection.close()
    over_rest = base64.b64decode(answer["predictions"][0][s.IMAGE_BYTES]["b64"])
    types = {s.LABEL: tf.int32, s.SEED: tf.int64, s.TRUNCATION: tf.float32}
    eager = ServedGenerator(fold(generator, moments))._sample(**{k: tf.constant([v], types[k]) for k, v in row.items()})
    assert over_grpc == over_rest == eager[s.IMAGE_BYTES].numpy()[0]
    # And the generator as it was trained, spectral norm at work, only with the standing statistics. Folding changes the
    # order of float32 sums, so a value that lies on the border of two grey levels may round to either of them.
    plain = module.with_moments(generator, moments)
    z = row_latents(tf.constant([row[s.SEED]]), tf.constant([row[s.TRUNCATION]]), generator.model_config.z_dim)
    images = plain((z, plain.embed(np.array([3]))), training=False, truncation=np.array([0.4], np.float32))
    levels = (np.asarray(images, np.float64)[0] + 1) * 127.5
    served = tf.io.decode_png(over_grpc).numpy()
    border = np.abs(levels - np.floor(levels) - 0.5) < 1e-5 * 127.5
    assert border.mean() < 0.01
    np.testing.assert_array_equal(served[~border], to_uint8(images).numpy()[0][~border])
    np.testing.assert_allclose(served, levels, rtol=0, atol=0.5 + 1e-5 * 127.5)


def test_an_unconditional_generator_and_a_discriminator_are_exported_too():
    config = ModelConfig(resolution=32, generator_channels=4, discriminator_channels=4, num_classes=0)
    made, discriminator = Generator(config), Discriminator(config)
    served = ServedGenerator(fold(made, moments_of(made)), fold_discriminator(discriminator))
    functions = served.functions()
    assert set(functions) == {s.SAMPLE, s.SYNTHESIZE, s.SYNTHESIZE_PNG, s.LATENTS, s.DISCRIMINATE}
    row = {s.SEED: tf.constant([5], tf.int64), s.TRUNCATION: tf.constant([0.5])}
    picture = functions[s.SAMPLE](label=tf.constant([0]), **row)
    z = functions[s.LATENTS](**row)[s.LATENT]
    images = functions[s.SYNTHESIZE](z=z, truncation=row[s.TRUNCATION])[s.IMAGES]
    np.testing.assert_array_equal(to_uint8(images), picture[s.IMAGES])
    np.testing.assert_allclose(images, made(z, training=False), atol=1e-5)
    logits = functions[s.DISCRIMINATE](images=images, label=tf.constant([0]))[s.LOGITS]
    np.testing.assert_allclose(logits, discriminator(images, training=False), atol=1e-4)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"label must be in \[0, 1\)"):
        functions[s.SAMPLE](label=tf.constant([1]), **row)
