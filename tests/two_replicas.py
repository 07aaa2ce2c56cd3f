"""The two virtual CPU replicas that tests of replicas share; conftest.py makes the devices.

One strategy for the whole process: TensorFlow numbers the collectives of each MirroredStrategy from the same start and
remembers their shapes, so a second one with collectives in the same process fails with a shape mismatch.
"""

import functools

import tensorflow as tf


@functools.cache
def two_replicas():
    return tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
