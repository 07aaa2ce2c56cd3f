"""The two virtual CPU replicas that tests of replicas share.

One strategy for the whole process: TensorFlow numbers the collectives of each MirroredStrategy from the same start and
remembers their shapes, so a second one with collectives in the same process fails with a shape mismatch.
"""

import functools

import tensorflow as tf

_CPU = tf.config.list_physical_devices("CPU")[0]
# While tests are collected, because TensorFlow takes no more devices once it has computed.
if len(tf.config.get_logical_device_configuration(_CPU) or []) < 2:
    tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)


@functools.cache
def two_replicas():
    return tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
