"""An export of version 0.1 is served by this version as it was then: every signature, over gRPC."""

import io
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biggan_tf.ops.pixels import to_bytes
from biggan_tf.training.checkpoints.loading import load_generator
from serving.client import GeneratorClient
from tests.serving.embedded import running

VERSION_0_1 = Path(__file__).parents[2] / "data" / "version_0_1"


def is_like_the_machine_that_wrote_the_answers():
    """Two cores of an AMD EPYC with AVX-512 and bfloat16; elsewhere sums may be added in another order."""
    try:
        processor = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "AuthenticAMD" in processor and "avx512_bf16" in processor and os.cpu_count() == 2


@pytest.fixture(scope="module")
def answers():
    return dict(np.load(VERSION_0_1 / "answers.npz"))


@pytest.fixture(scope="module")
def client():
    base = str(VERSION_0_1 / "export")
    with (
        running(model_base_path=base, model_name="biggan", enable_model_warmup=False) as (_, target),
        GeneratorClient(target) as client,
    ):
        yield client


def assert_same(served, answer, most):
    """To the bit on a machine as it was then, and within `most` on any other."""
    assert served.shape == answer.shape
    assert served.dtype == answer.dtype
    if is_like_the_machine_that_wrote_the_answers():
        np.testing.assert_array_equal(served, answer)
    np.testing.assert_allclose(served.astype(np.float64), answer, rtol=0, atol=most)


def test_samples_are_those_of_version_0_1(client, answers):
    images = client.sample(answers["label"], answers["seed"], answers["truncation"])
    assert_same(images, answers["images"], most=1)


def test_latents_are_those_of_version_0_1(client, answers):
    assert_same(client.latents(answers["seed"], answers["truncation"]), answers["z"], most=1e-6)


def test_synthesised_images_are_those_of_version_0_1(client, answers):
    weights = _one_hot(answers)
    images = client.synthesize(answers["z"], weights, answers["truncation"])
    assert_same(images, answers["float_images"], most=1e-5)
    # One row by itself, as another client would ask.
    row = slice(1, 2)
    images = client.synthesize(answers["z"][row], weights[row], answers["truncation"][row])
    assert_same(images, answers["float_images"][row], most=1e-5)


def test_png_files_hold_the_bytes_of_the_images(client, answers):
    asked = answers["label"], answers["seed"], answers["truncation"]
    images = client.sample(*asked)
    np.testing.assert_array_equal(images, to_bytes(client.synthesize(answers["z"], _one_hot(answers), asked[2])))
    for image, png in zip(images, client.sample_png(*asked), strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), image)


def test_embeddings_are_those_of_the_run_that_was_exported(client, answers):
    generator, _, _ = load_generator(VERSION_0_1 / "run_float32")
    np.testing.assert_array_equal(client.embed(answers["label"]), generator.embed(answers["label"].astype(np.int32)))


def test_the_log_names_the_version_that_exported_it(caplog):
    with (
        caplog.at_level(logging.INFO, "serving"),
        running(model_base_path=str(VERSION_0_1 / "export"), model_name="biggan", enable_model_warmup=False),
    ):
        assert "biggan version 1 was exported by version 0.1" in caplog.text


def _one_hot(answers):
    return np.eye(10, dtype=np.float32)[answers["label"]]
