import json
import os

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import ModelConfig
from biggan_tf.networks.generator import Generator
from serving import signatures as s
from serving.export.inference_generator import fold, moments_of
from serving.export.served_generator import ServedGenerator
from tests.free_port import free_port
from tests.serving.embedded import running
from tests.serving.playground import browser as browser_lib

NAMES = ["circle", "square", "triangle", "five-pointed star", "ring", "cross"]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A base path with version 3 of a small generator, as serving.export writes it."""
    generator = Generator(
        ModelConfig(
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
    (path / "assets" / s.PROVENANCE_ASSET).write_text(json.dumps({"images_seen": 12345}))
    return str(base)


@pytest.fixture(scope="session")
def served(models):
    """The gRPC target and the playground's address of a server."""
    port = free_port()
    with running(model_name="biggan", model_base_path=models, playground_port=port) as (_, target):
        yield target, f"http://127.0.0.1:{port}/"


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
