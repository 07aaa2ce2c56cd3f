"""The form in which one image is stored: a `tf.train.Example` with the keys below.

`pipeline/` writes these records and `input_pipeline.py` reads them; nothing else knows the keys. They are those of the
slim and TPU image pipelines, except that labels start at 0 and follow the sorted names of the classes.
"""

from __future__ import annotations

import dataclasses

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
        image: The bytes of the image, encoded in `format`.
        format: One of `FORMATS`.
        resolution: The height and width of the image.
        label: The number of the class, from 0.
        class_name: The name of the class; for ImageNet its synset, such as "n02123045".
        filename: Which image of the source this is.
    """

    image: bytes
    format: str
    resolution: int
    label: int
    class_name: str
    filename: str

    def serialize(self) -> bytes:
        """The record as bytes. Equal records give equal bytes."""
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
    """The file name of a shard, e.g. 'train-00000-of-00256.tfrecord'.

    Args:
        split: The name of the split.
        index: The number of the shard, from 0.
        count: How many shards the split has.
    """
    return SHARD_NAME.format(split=split, index=index, count=count)


def parse(serialized: tf.Tensor, image_format: str, resolution: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes one serialized record; it can be part of a `tf.data` graph.

    Args:
        serialized: The record, a scalar string.
        image_format: One of `FORMATS`, from the manifest.
        resolution: The height and width, from the manifest. An image of another size is an error.

    Returns:
        (image, label): uint8 [resolution, resolution, 3] and int32 [].
    """
    features = tf.io.parse_single_example(
        serialized, {IMAGE: tf.io.FixedLenFeature([], tf.string), LABEL: tf.io.FixedLenFeature([], tf.int64)}
    )
    image = decode(features[IMAGE], image_format)
    # reshape checks the stored size; set_shape alone would trust it.
    return tf.reshape(image, [resolution, resolution, 3]), tf.cast(features[LABEL], tf.int32)


def name_of(serialized: tf.Tensor) -> tf.Tensor:
    """Which image of the source one serialized record is, a scalar string; it can be part of a `tf.data` graph."""
    return tf.io.parse_single_example(serialized, {FILENAME: tf.io.FixedLenFeature([], tf.string)})[FILENAME]


def decode(encoded: tf.Tensor, image_format: str) -> tf.Tensor:
    """Decodes the pixels of an image.

    Args:
        encoded: The bytes of the image, a scalar string.
        image_format: One of `FORMATS`.

    Returns:
        uint8 [height, width, 3]; for "raw" [height * width * 3].

    Raises:
        ValueError: If there is no such format.
    """
    if image_format == "raw":
        return tf.io.decode_raw(encoded, tf.uint8)
    if image_format == "png":
        return tf.io.decode_png(encoded, channels=3)
    if image_format == "jpeg":
        return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    if image_format == "webp":
        return tf.io.decode_webp(encoded, channels=3)[0]  # the first frame of what may be an animation
    raise ValueError(f"The image format must be one of {', '.join(FORMATS)}. Received: {image_format!r}.")
