"""What folding changes, and that it changes a copy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts.network import layers_of
from biggan_tf.inference.batch_norm_moments import moments_of
from biggan_tf.inference.folding import fold_discriminator, replace_call
from tests.biggan_tf.families.biggan.models import small


def values_of(network):
    return [weight.numpy().copy() for weight in network.weights]


def test_replacing_a_call_reaches_that_one_layer_alone():
    layers = [keras.layers.Dense(2, kernel_initializer="ones") for _ in range(2)]
    x = tf.ones([1, 3])
    for layer in layers:
        layer(x)
    replace_call(layers[0], lambda x, training=False: x * 7.0)
    np.testing.assert_array_equal(layers[0](x), [[7.0, 7.0, 7.0]])
    np.testing.assert_array_equal(layers[1](x), [[3.0, 3.0]])
    np.testing.assert_array_equal(keras.layers.Dense(2, kernel_initializer="ones")(x), [[3.0, 3.0]])


@pytest.mark.parametrize("rows", ["exact", "fast"])
@pytest.mark.parametrize("architecture", ["biggan", "biggan_deep"])
def test_folding_leaves_the_trained_generator_alone(architecture, rows):
    generator = small(architecture=architecture).generator()
    z = tf.random.stateless_normal([2, 16], [1, 2])
    embedding = generator.embed(tf.constant([3, 5]))
    images, values = generator((z, embedding)).numpy(), values_of(generator)
    folded = generator.config.fold(generator, moments_of(generator), "float32", rows)
    np.testing.assert_allclose(folded(z, embedding, tf.ones([2])), images, atol=1e-5)
    assert not [path for path, layer in layers_of(generator, keras.layers.Layer).items() if "call" in vars(layer)]
    np.testing.assert_array_equal(generator((z, embedding)), images)
    for value, weight in zip(values, generator.weights, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_folding_leaves_the_trained_discriminator_alone():
    discriminator = small().discriminator()
    images, labels = tf.random.stateless_uniform([2, 32, 32, 3], [1, 2], -1.0, 1.0), tf.constant([3, 5])
    logits, values = discriminator((images, labels)).logits.numpy(), values_of(discriminator)
    folded = fold_discriminator(discriminator)
    np.testing.assert_allclose(folded((images, labels)).logits, logits, atol=1e-5)
    np.testing.assert_array_equal(discriminator((images, labels)).logits, logits)
    for value, weight in zip(values, discriminator.weights, strict=True):
        np.testing.assert_array_equal(weight, value)
