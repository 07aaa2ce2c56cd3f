"""Two virtual CPU devices for replica tests; conftest.py asks for them before TensorFlow has started its devices."""

import functools

import pytest
import tensorflow as tf


@functools.cache
def two_replicas() -> tf.distribute.MirroredStrategy:
    """Two CPU replicas, one strategy for the whole process: a second one would reuse its collective keys."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.list_logical_devices("CPU")) < 2:
        pytest.fail(f"conftest.py must have split {cpu} into two logical devices before TensorFlow started.")
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
