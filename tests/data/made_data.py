"""Small data sets in the stored layout, made without the pipeline."""

import hashlib
import os

import numpy as np
import tensorflow as tf

from biggan_tf.data import manifest, records


def image_of(label, index, resolution=8):
    """An image from which label and index can be read back."""
    image = np.zeros([resolution, resolution, 3], np.uint8)
    image[..., 0] = label
    image[..., 1] = index % 256
    image[:, : resolution // 2, 2] = 255
    return image


def encode(image, image_format):
    if image_format == "raw":
        return image.tobytes()
    return tf.io.encode_png(image).numpy()


def write(folder, num_shards=4, per_shard=12, num_classes=3, resolution=8, image_format="png", **fields):
    """Writes shards and a manifest; returns the manifest."""
    os.makedirs(folder, exist_ok=True)
    shards = []
    for shard in range(num_shards):
        name = records.shard_name("train", shard, num_shards)
        path = os.path.join(folder, name)
        with tf.io.TFRecordWriter(path) as writer:
            for position in range(per_shard):
                index = shard * per_shard + position
                label = index % num_classes
                image = encode(image_of(label, index, resolution), image_format)
                record = records.Record(image, image_format, resolution, label, f"class_{label}", f"{index}")
                writer.write(record.serialize())
        with open(path, "rb") as file:
            content = file.read()
        shards.append(manifest.Shard(name, per_shard, len(content), hashlib.sha256(content).hexdigest()))
    total = num_shards * per_shard
    split = manifest.Split(total, tuple(shards), tuple(total // num_classes for _ in range(num_classes)))
    values = {
        "resolution": resolution,
        "image_format": image_format,
        "preprocessing": "biggan-1",
        "label_names": tuple(f"class_{label}" for label in range(num_classes)),
        "splits": {"train": split},
        "blessed": True,
        **fields,
    }
    made = manifest.Manifest(**values)
    with open(os.path.join(folder, manifest.FILE_NAME), "w", encoding="utf-8") as file:
        file.write(made.to_json())
    return made
