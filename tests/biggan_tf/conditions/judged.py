"""Judged batches of random features, whose heads a condition makes, and slopes by finite differences."""

import numpy as np
import tensorflow as tf
from keras import layers

from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch

NUM_CLASSES, WIDTH = 3, 5


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def labels(rows, seed=0):
    return np.random.default_rng(100 + seed).integers(0, NUM_CLASSES, rows).astype(np.int32)


def linear(units, use_bias, name):
    return layers.Dense(units, use_bias=use_bias, bias_initializer="normal", name=name, dtype="float64")


def head_of(condition, num_classes=NUM_CLASSES):
    head = condition.head(num_classes, linear, "float64")
    head.build((None, WIDTH), (None, 1, 1, WIDTH))
    return head


def judged(head, features, classes):
    """A batch whose judgement has the answers of a head."""
    features = tf.convert_to_tensor(features)
    heads = head(features, features[:, None, None], tf.constant(classes))
    judgement = Judgement(features[:, 0], features, heads)
    return JudgedBatch(Batch(tf.zeros([len(classes), 4, 4, 3]), tf.constant(classes)), judgement)


def assert_slope(loss, *inputs):
    """Compares the gradient of a loss with differences along a random direction."""
    tensors = [tf.constant(value, "float64") for value in inputs]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    directions = [random(*tensor.shape, seed=50 + number) for number, tensor in enumerate(tensors)]
    gradients = tape.gradient(value, tensors)
    slope = sum(np.vdot(gradient, direction) for gradient, direction in zip(gradients, directions, strict=True))
    step = 1e-6
    ends = [
        loss(*(tensor + sign * step * direction for tensor, direction in zip(tensors, directions, strict=True)))
        for sign in (1, -1)
    ]
    np.testing.assert_allclose(float(ends[0] - ends[1]) / (2 * step), slope, rtol=1e-6)
