"""Every test runs on two virtual CPU devices, so that replica tests need no accelerator."""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in

import os

from biggan_tf import environment

environment.prepare()  # what every command does
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
