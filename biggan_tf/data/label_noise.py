"""Gives a share of the records a wrong label on purpose, to study how that changes a training."""

from __future__ import annotations

import tensorflow as tf

# How many values a hash of a record's name may have; a share of them is exact.
_BUCKETS = 1 << 53


def with_noise(label: tf.Tensor, name: tf.Tensor, share: float, num_classes: int, seed: int) -> tf.Tensor:
    """Changes a share of the labels to another class, each other class being as probable.

    Whether and to what a record's label changes depends on the seed and the record's name alone, so that it is the same
    in every epoch, for any number of workers, and after a resume.

    Args:
        label: The class of a record, int32 [].
        name: Which image of the source the record is, `records.FILENAME`.
        share: Which part of the labels changes: 0: none; 0.5: half of them; 1: all.
        num_classes: How many classes there are; 2 at least.
        seed: Decides which labels change, and to which classes.

    Returns:
        int32 [].
    """
    key = seed % (1 << 63)
    changes = tf.strings.to_hash_bucket_strong(name, _BUCKETS, [key, 0]) < int(share * _BUCKETS)
    distance = 1 + tf.strings.to_hash_bucket_strong(name, num_classes - 1, [key, 1])
    return tf.where(changes, (label + tf.cast(distance, tf.int32)) % num_classes, label)
