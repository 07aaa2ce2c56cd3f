"""What one stored image looks like: the keys of its `tf.train.Example`.

`pipeline/` writes these records and `input_pipeline.py` reads them; nothing else knows the keys. They are those of the
slim and TPU image pipelines, with one difference on purpose: labels start at 0, in sorted class order.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

IMAGE = "image/encoded"  # as `format` says; for "raw": height x width x 3 bytes, row by row
FORMAT = "image/format"
HEIGHT = "image/height"
WIDTH = "image/width"
COLORSPACE = "image/colorspace"
CHANNELS = "image/channels"
FILENAME = "image/filename"  # the example's id: which image of the source this was
LABEL = "image/class/label"  # 0 .. num_classes - 1
CLASS_NAME = "image/class/synset"

FORMATS = ("png", "raw", "jpeg", "webp")
SHARD_NAME = "{split}-{index:05d}-of-{count:05d}.tfrecord"


@dataclasses.dataclass(frozen=True)
class Record:
    """One stored image.

    Attributes:
        image: The image's bytes in `format`.
        format: One of `FORMATS`.
        resolution: Height and width.
        label: 0-based class index.
        class_name: The class's name, for ImageNet its synset id.
        filename: The example's id in the source.
    """

    image: bytes
    format: str
    resolution: int
    label: int
    class_name: str
    filename: str

    def serialize(self) -> bytes:
        """The record as bytes that depend on its content alone."""
        example = tf.train.Example()
        feature = example.features.feature
        for key, text in (
            (IMAGE, self.image),
            (FORMAT, self.format.encode()),
            (COLORSPACE, b"RGB"),
            (FILENAME, self.filename.encode()),
            (CLASS_NAME, self.class_name.encode()),
        ):
            feature[key].bytes_list.value.append(text)
        for key, number in (
            (HEIGHT, self.resolution),
            (WIDTH, self.resolution),
            (CHANNELS, 3),
            (LABEL, self.label),
        ):
            feature[key].int64_list.value.append(number)
        return example.SerializeToString(deterministic=True)


def shard_name(split: str, index: int, count: int) -> str:
    """File name of a shard, e.g. 'train-00000-of-00256.tfrecord'."""
    return SHARD_NAME.format(split=split, index=index, count=count)


def parse(serialized: Any, image_format: str, resolution: int) -> tuple[Any, Any]:
    """Decodes one serialized record inside a `tf.data` graph.

    Args:
        serialized: Scalar string tensor.
        image_format: How the images are stored, from the manifest.
        resolution: Height and width, from the manifest.

    Returns:
        `(image, label)`: uint8 `[resolution, resolution, 3]` and an int32 scalar.
    """
    features = tf.io.parse_single_example(
        serialized, {IMAGE: tf.io.FixedLenFeature([], tf.string), LABEL: tf.io.FixedLenFeature([], tf.int64)}
    )
    image = decode(features[IMAGE], image_format)
    # reshape checks the stored size; set_shape alone would trust it.
    return tf.reshape(image, [resolution, resolution, 3]), tf.cast(features[LABEL], tf.int32)


def decode(encoded: Any, image_format: str) -> Any:
    """The pixels of an encoded image, uint8; flat for "raw"."""
    if image_format == "raw":
        return tf.io.decode_raw(encoded, tf.uint8)
    if image_format == "png":
        return tf.io.decode_png(encoded, channels=3)
    if image_format == "jpeg":
        return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    if image_format == "webp":
        return tf.io.decode_webp(encoded, channels=3)[0]  # the first frame of what may be an animation
    raise ValueError(f"The image format must be one of {', '.join(FORMATS)}. Received: {image_format!r}.")
