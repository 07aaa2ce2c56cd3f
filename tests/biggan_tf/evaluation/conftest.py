"""A tiny data set and a tiny extractor, for what does not need real features."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import files
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.data import records
from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator

CLASS_NAMES = ("blue", "green", "red")


def coloured_images(count, seed=0):
    """Noise about one colour a class: labels 0, 1, 2 are blue, green, red."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 3
    images = random.integers(0, 60, (count, 32, 32, 3))
    images[np.arange(count), ..., 2 - labels] += 150
    return images.astype(np.uint8), labels


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "32"
    folder.mkdir()
    images, labels = coloured_images(96)
    name = records.shard_name("train", 0, 1)
    with tf.io.TFRecordWriter(str(folder / name)) as writer:
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            record = records.Record(image.tobytes(), "raw", 32, int(label), CLASS_NAMES[label], f"{i}.png")
            writer.write(record.serialize())
    path = folder / name
    shard = manifest_lib.Shard(name, 96, path.stat().st_size, files.sha256(str(path)))
    manifest = manifest_lib.Manifest(
        resolution=32,
        image_format="raw",
        preprocessing="test-1",
        label_names=CLASS_NAMES,
        splits={"train": manifest_lib.Split(96, (shard,), (32, 32, 32))},
        fingerprint="abc",
        blessed=True,
    )
    (folder / manifest_lib.FILE_NAME).write_text(manifest.to_json())
    return str(folder)


@pytest.fixture(scope="session")
def extractor():
    keras.utils.set_random_seed(0)
    x = images = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(12, 5, 4, activation="relu")(x)
    features = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(images, (features, keras.layers.Dense(3)(features)))
    protocol = FeatureProtocol("tiny", "0" * 64, "none")
    return FeatureExtractor(protocol, network, lambda x: x, "fd_tiny", CLASS_NAMES)


@pytest.fixture(scope="session")
def generator():
    keras.utils.set_random_seed(1)
    config = BigGANConfig(
        resolution=32,
        z_dim=16,
        num_classes=3,
        embedding_dim=8,
        generator_channels=4,
        discriminator_channels=4,
        generator_attention=(),
        discriminator_attention=(),
    )
    return Generator(dataclasses.replace(config))
