import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.losses.adversarial import LOSSES

REAL, FAKE = np.array([-2.0, -0.5, 0.5, 3.0]), np.array([-3.0, -0.2, 0.1, 2.0])


def _softplus(x):
    return np.log1p(np.exp(x))


EXPECTED = {
    "hinge": (
        np.maximum(1 - REAL, 0).mean() + np.maximum(1 + FAKE, 0).mean(),
        -FAKE.mean(),
        [-0.25, -0.25, -0.25, 0.0],
        [0.0, 0.25, 0.25, 0.25],
    ),
    "non_saturating": (
        _softplus(-REAL).mean() + _softplus(FAKE).mean(),
        _softplus(-FAKE).mean(),
        -1 / (1 + np.exp(REAL)) / 4,
        1 / (1 + np.exp(-FAKE)) / 4,
    ),
}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_loss_and_gradient_are_numpys(name):
    loss = LOSSES[name]()
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        value = loss.discriminator(real, fake)
    of_discriminator, of_generator, by_real, by_fake = EXPECTED[name]
    np.testing.assert_allclose(value, of_discriminator, rtol=1e-14)
    np.testing.assert_allclose(loss.generator(fake), of_generator, rtol=1e-14)
    for got, expected in zip(tape.gradient(value, [real, fake]), (by_real, by_fake), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_loss_is_float32_for_half_precision_logits(name):
    logits = tf.constant([1.0, -1.0], tf.float16)
    assert LOSSES[name]().discriminator(logits, logits).dtype == "float32"
    assert LOSSES[name]().generator(logits).dtype == "float32"
