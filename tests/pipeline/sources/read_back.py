"""Reads what a source lists, and what the job stored of it."""

import collections
import contextlib

import tensorflow as tf

from pipeline.preprocessing.reading import ItemReader


def read(item, **limits):
    """The bytes of an item, by a reader of its own."""
    with contextlib.closing(ItemReader(**limits)) as reader:
        return reader.read(item)


def pictures_in(output):
    """How often each stored picture comes with each label."""
    found = collections.Counter()
    for record in tf.data.TFRecordDataset([str(path) for path in (output / "16").glob("*.tfrecord")]):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        found[features["image/encoded"].bytes_list.value[0], features["image/class/label"].int64_list.value[0]] += 1
    assert found
    return found
