"""What a feature extractor is called for is what its network computes, also where replicas share its weights."""

import contextlib

import keras
import numpy as np
import pytest

from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol
from tests.two_replicas import two_replicas


def with_a_norm():
    """An extractor whose norm has moments that are not those of a new layer."""
    x = images = keras.Input((None, None, 3))
    norm = keras.layers.BatchNormalization()
    x = keras.layers.ReLU()(norm(keras.layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)))
    features = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(images, (features, keras.layers.Dense(4)(features)))
    draw = np.random.default_rng(0)
    norm.set_weights([draw.uniform(0.5, 1.5, 8).astype(np.float32) for _ in range(4)])
    return FeatureExtractor(FeatureProtocol("with a norm", "", "none"), network, lambda x: x, "fd_norm")


@pytest.mark.parametrize("shared", [False, True])
def test_a_call_gives_what_the_network_computes_for_images_of_any_size_and_kind(shared):
    with two_replicas().scope() if shared else contextlib.nullcontext():
        extractor = with_a_norm()
    draw = np.random.default_rng(1)
    for images in (
        draw.integers(0, 256, (5, 16, 16, 3), np.uint8),
        draw.integers(0, 256, (2, 8, 12, 3), np.uint8),
        draw.uniform(-1.0, 1.0, (3, 16, 16, 3)).astype(np.float32),
    ):
        floats = images / np.float32(127.5) - 1.0 if images.dtype == np.uint8 else images
        expected = extractor.compute(keras.ops.convert_to_tensor(floats, "float32"))
        for found, wanted in zip(extractor(images), expected, strict=True):
            assert isinstance(found, np.ndarray)
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
