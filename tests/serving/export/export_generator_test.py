import base64
import http.client
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.contracts.network import layers_of
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.inference import fold
from biggan_tf.inference.batch_norm_moments import moments_of
from biggan_tf.inference.folding import fold_discriminator
from biggan_tf.latents import row_latents
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.ops.pixels import to_bytes
from serving import signatures as s
from serving.client import GeneratorClient
from serving.export import export_generator as module
from serving.export.export_generator import export_generator
from serving.export.infra_validation import ExportError
from serving.export.served_generator import ServedGenerator
from serving.input_limits import from_json
from serving.server.loaded_model import LoadedModel
from tests.free_port import free_port
from tests.serving.embedded import running
from tests.serving.export.warmup_requests_test import batch_of, requests

LABELS = [{"synset": f"n{i:08d}", "name": f"thing {i}"} for i in range(10)]


@pytest.fixture(scope="module")
def generator():
    config = BigGANConfig(resolution=32, generator_channels=8, num_classes=10)
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
    asked = {(request.model_spec.signature_name, batch_of(request)) for request in requests(Path(exported))}
    warmed_up = {s.SAMPLE, s.LATENTS, s.EMBED, s.SYNTHESIZE}
    assert asked == {(name, batch) for name in warmed_up for batch in (1, 2)}
    with open(os.path.join(exported, "assets", s.LIMITS_ASSET)) as file:
        assert from_json(file.read())[s.LABEL].high == 9


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
    for png, ours in zip(eager[s.IMAGE_BYTES].numpy(), eager[s.IMAGES].numpy(), strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), ours)
    # Eager sums differ in their last bits, and so may a value on the border of two grey levels.
    apart = np.abs(eager[s.IMAGES].numpy().astype(int) - full)
    assert apart.max() <= 1
    assert apart.mean() < 1e-3
    assert full.std() > 1
    model.close()


@pytest.mark.processor
def test_folding_keeps_the_images_and_leaves_the_generator_alone(generator, moments):
    before = generator.get_weights()
    reference = module._reference(generator, moments, {"z_dim": generator.config.z_dim, "num_classes": 10})
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
def test_a_failed_validation_leaves_nothing_and_numbers_are_not_reused(exported, generator, moments, monkeypatch):
    base = os.path.dirname(exported)
    wrong = module._reference(generator, moments, {"z_dim": generator.config.z_dim, "num_classes": 10})
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
    plain = module.copy_for(generator, moments, "float32")
    z = row_latents(tf.constant([row[s.SEED]]), tf.constant([row[s.TRUNCATION]]), generator.config.z_dim)
    images = plain((z, plain.embed(np.array([3]))), training=False, truncation=np.array([0.4], np.float32))
    levels = (np.asarray(images, np.float64)[0] + 1) * 127.5
    served = tf.io.decode_png(over_grpc).numpy()
    border = np.abs(levels - np.floor(levels) - 0.5) < 1e-5 * 127.5
    assert border.mean() < 0.01
    np.testing.assert_array_equal(served[~border], to_bytes(images).numpy()[0][~border])
    np.testing.assert_allclose(served, levels, rtol=0, atol=0.5 + 1e-5 * 127.5)


def test_an_unconditional_generator_and_a_discriminator_are_exported_too():
    config = BigGANConfig(resolution=32, generator_channels=4, discriminator_channels=4, num_classes=0)
    made, discriminator = Generator(config), Discriminator(config)
    served = ServedGenerator(fold(made, moments_of(made)), fold_discriminator(discriminator))
    functions = served.functions()
    assert set(functions) == {s.SAMPLE, s.SYNTHESIZE, s.SYNTHESIZE_PNG, s.LATENTS, s.DISCRIMINATE}
    row = {s.SEED: tf.constant([5], tf.int64), s.TRUNCATION: tf.constant([0.5])}
    picture = functions[s.SAMPLE](label=tf.constant([0]), **row)
    z = functions[s.LATENTS](**row)[s.LATENT]
    images = functions[s.SYNTHESIZE](z=z, truncation=row[s.TRUNCATION])[s.IMAGES]
    np.testing.assert_array_equal(to_bytes(images), picture[s.IMAGES])
    np.testing.assert_allclose(images, made(z, training=False), atol=1e-5)
    logits = functions[s.DISCRIMINATE](images=images, label=tf.constant([0]))[s.LOGITS]
    np.testing.assert_allclose(logits, discriminator(images, training=False).logits, atol=1e-4)
    np.testing.assert_array_equal(functions[s.SAMPLE](label=tf.constant([1]), **row)[s.VALID], [False])
