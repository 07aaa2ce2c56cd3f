"""Lists the images of a prepared dataset of TensorFlow Datasets (TFDS) that has one image and one class label."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

from pipeline.errors import PipelineError
from pipeline.sources.item import TFRECORD, Item
from pipeline.sources.local_copy import local_copy

WITHOUT_LABEL = "left_out_without_label"  # what the result counts images under that have no label
_NO_LABEL = -1  # what TFDS gives images without a label, such as those of ImageNet's test split
_HEADER_BYTES, _FOOTER_BYTES = 12, 4  # of a TFRecord: length and its checksum; the content's checksum


class TfdsSource:
    """Reads the dataset's TFRecord files in place; the images stay encoded as they are stored.

    Images without a label are left out.

    Args:
        name: "NAME" or "NAME:VERSION", e.g. "cifar10" or "imagenet2012:5.1.0".
        data_dir: Folder in which TFDS keeps prepared datasets; "": TFDS's default.

    Raises:
        PipelineError: If there is no such dataset, or it is not prepared.
    """

    expected_layout = "  a dataset prepared by TFDS: TFDS_DATA_DIR/<name>/<version>/dataset_info.json and *.tfrecord-*"

    def __init__(self, name: str, data_dir: str):
        self.name = name
        self.left_out: collections.Counter[str] = collections.Counter()
        self._builder = _builder(name, data_dir, self.expected_layout)
        features = self._builder.info.features
        self._image, self._label = _image_and_label(features, name)
        self._names = features[self._label].names
        if self._builder.info.file_format.value != "tfrecord":
            raise PipelineError(
                f"{name} is stored as {self._builder.info.file_format.value}; only tfrecord can be read in place. "
                "Prepare it with file_format='tfrecord'."
            )

    def items(self) -> Iterator[Item]:
        self.left_out.clear()
        for name, split in sorted(self._builder.info.splits.items()):
            for shard, path in enumerate(sorted(str(path) for path in split.filepaths)):
                yield from self._shard_items(name, shard, path)

    def declared_classes(self) -> frozenset[str]:
        return frozenset(self._names)

    def _shard_items(self, split: str, shard: int, path: str) -> Iterator[Item]:
        for number, (offset, content) in enumerate(_records(path)):
            label = self._label_of(path, number, content)
            if label == [_NO_LABEL]:
                self.left_out[WITHOUT_LABEL] += 1
                continue
            if len(label) != 1 or not 0 <= label[0] < len(self._names):
                raise PipelineError(
                    f"{path}: record {number} must have a label in 0..{len(self._names) - 1}. Received: {label}."
                )
            example_id = f"{split}/{shard:05d}/{number:08d}"
            class_name = self._names[label[0]]
            yield Item(example_id, split, class_name, TFRECORD, path, offset, len(content), self._image)

    def _label_of(self, path: str, number: int, content: bytes) -> list[int]:
        import tensorflow as tf
        from google.protobuf.message import DecodeError

        try:
            return list(tf.train.Example.FromString(content).features.feature[self._label].int64_list.value)
        except DecodeError as error:
            raise PipelineError(f"{path}: record {number} must be a tf.train.Example: {error}.") from error


def _builder(name: str, data_dir: str, expected_layout: str) -> Any:
    import tensorflow_datasets as tfds

    # Offline on purpose: preparing a dataset downloads, which is for its user to start.
    try:
        builder = tfds.builder(name, data_dir=data_dir or None, try_gcs=False)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError, OSError, ImportError) as error:
        raise PipelineError(f"TFDS knows no dataset {name!r} in {data_dir or 'its default folder'}: {error}") from error
    if not builder.info.splits:
        raise PipelineError(
            f"The TFDS dataset {name!r} must be prepared in {builder.data_dir}; it is not. Run "
            f"`tfds build {name.replace(':', '/')}` with network access first. Expected layout:\n{expected_layout}"
        )
    return builder


def _image_and_label(features: Any, name: str) -> tuple[str, str]:
    import tensorflow_datasets as tfds

    # Image keys of this package's own output hold a slash; flat either way.
    images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    labels = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    # Datasets with several label sets (CIFAR-100) call the main one "label".
    label = "label" if "label" in labels else labels[0] if len(labels) == 1 else ""
    if len(images) != 1 or not label:
        raise PipelineError(
            f"The TFDS dataset {name!r} must have one image and one class label; it has the images {images} and the "
            f"labels {labels}."
        )
    return images[0], label


def _records(path: str) -> Iterator[tuple[int, bytes]]:
    """`(offset of the content, content)` of each record of a TFRecord file.

    TensorFlow compares every record with its checksums: one wrong bit could be a label's.
    """
    import tensorflow as tf

    position = 0
    with local_copy(path) as local:
        try:
            for content in tf.data.TFRecordDataset(local).as_numpy_iterator():
                yield position + _HEADER_BYTES, content
                position += _HEADER_BYTES + len(content) + _FOOTER_BYTES
        except tf.errors.OpError as error:
            reason = error.message.replace(local, path)
            raise PipelineError(f"{path} must be a sound file of records: {reason}. Prepare it again.") from error
