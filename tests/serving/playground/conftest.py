import contextlib
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.inference import fold
from biggan_tf.inference.batch_norm_moments import moments_of
from serving import signatures as s
from serving.export.served_generator import ServedGenerator, model_sizes
from serving.input_limits import limits_for, to_json
from tests.biggan_tf.families.stylegan2 import smallest as stylegan2
from tests.free_port import free_port
from tests.serving.embedded import running
from tests.serving.playground import browser as browser_lib

NAMES = ["circle", "square", "triangle", "five-pointed star", "ring", "cross"]
EXPORTED = "2026-03-04T05:06:07+00:00"


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A base path with version 3 of a small generator, as serving.export writes it."""
    generator = Generator(
        BigGANConfig(
            resolution=32, z_dim=8, generator_channels=4, generator_attention=(), num_classes=6, embedding_dim=4
        )
    )
    draw = np.random.default_rng(1)
    for weight in generator.weights:
        # As initialised it draws a flat grey.
        if weight.trainable:
            weight.assign(weight + draw.normal(0, 0.3, weight.shape))
    module = ServedGenerator(fold(generator, moments_of(generator)))
    base = tmp_path_factory.mktemp("playground")
    path = base / "3"
    tf.saved_model.save(module, str(path), signatures=module.functions())
    os.makedirs(path / "assets", exist_ok=True)
    (path / "assets" / s.LABELS_ASSET).write_text(
        json.dumps([{"synset": f"n{i}", "name": n} for i, n in enumerate(NAMES)])
    )
    (path / "assets" / s.PROVENANCE_ASSET).write_text(json.dumps({"images_seen": 12345, "exported": EXPORTED}))
    return str(base)


@pytest.fixture(scope="session")
def served(models):
    """The gRPC target and the playground's address of a server."""
    port = free_port()
    with running(model_name="biggan", model_base_path=models, playground_port=port) as (_, target):
        yield target, f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="session")
def styled(tmp_path_factory):
    """The gRPC target and the playground's address of a server with a model that has styles."""
    with _style_server(tmp_path_factory.mktemp("styled"), num_classes=3) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def classless(tmp_path_factory):
    """Those of one whose model has styles and no classes."""
    with _style_server(tmp_path_factory.mktemp("classless"), num_classes=0) as addresses:
        yield addresses


@contextlib.contextmanager
def _style_server(base, num_classes):
    config = stylegan2.model(resolution=32, w_dim=16, channel_base=256, channel_max=16, truncation_cutoff=6)
    config.num_classes = num_classes
    generator, draw = config.generator(), np.random.default_rng(4)
    for layer in generator.convolutions:
        layer.noise_strength.assign(0.2)
    for layer in generator.to_rgb:
        layer.kernel.assign(0.3 * layer.kernel)
    if num_classes:
        generator.class_embedding.kernel.assign(2 * draw.standard_normal(generator.class_embedding.kernel.shape))
    module = ServedGenerator(config.fold(generator, {}))
    port, path = free_port(), base / "1"
    tf.saved_model.save(module, str(path), signatures=module.functions())
    os.makedirs(path / "assets", exist_ok=True)
    rule = config.truncation_rule
    limits = limits_for(model_sizes(config.fold(generator, {})), (rule.low, rule.high))
    (path / "assets" / s.LIMITS_ASSET).write_text(to_json(limits))
    with running(model_name="style", model_base_path=str(base), playground_port=port) as (_, target):
        yield target, f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="session")
def guarded(models, tmp_path_factory):
    """The playground's address of a server that asks for the token, and the token."""
    port, token, file = free_port(), "the-token-of-this-test", tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(token)
    with running(model_name="biggan", model_base_path=models, playground_port=port, auth_tokens_file=str(file)):
        yield f"http://127.0.0.1:{port}/", token


@pytest.fixture(scope="session")
def chromium():
    path = browser_lib.find()
    if path is None:
        pytest.skip("no Chromium is installed; `apt-get install chromium` brings one, CHROMIUM names another")
    with browser_lib.running(path) as started:
        yield started


@pytest.fixture
def browser(chromium):
    chromium.resize(1280, 900)
    chromium.problems.clear()
    yield chromium
    assert chromium.problems == []
