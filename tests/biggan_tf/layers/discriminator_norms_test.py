"""The layers of norm slots against NumPy, in float64: values, gradients, and the gradients of gradients."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.layers.discriminator_norms import ClassGain, DiscriminatorBatchNorm, GroupNorm

EPSILON = 1e-5
X = np.random.default_rng(0).normal(0.3, 1.5, (3, 4, 5, 6))
WEIGHTS = np.random.default_rng(1).standard_normal(X.shape)
GAIN, OFFSET = np.random.default_rng(2).normal(1.0, 0.2, 6), np.random.default_rng(3).standard_normal(6)
# By the number of groups, X with the values that share moments along one axis, and the way back.
SETS = {
    "layer": (lambda x: x.reshape(3, -1), lambda y: y.reshape(X.shape)),
    "group": (
        lambda x: x.reshape(3, 20, 2, 3).transpose(0, 2, 1, 3).reshape(6, -1),
        lambda y: y.reshape(3, 2, 20, 3).transpose(0, 2, 1, 3).reshape(X.shape),
    ),
    "instance": (
        lambda x: x.reshape(3, 20, 6).transpose(0, 2, 1).reshape(18, -1),
        lambda y: y.reshape(3, 6, 20).transpose(0, 2, 1).reshape(X.shape),
    ),
    "batch": (lambda x: x.reshape(60, 6).T, lambda y: y.T.reshape(X.shape)),
}


def made(kind, **options):
    options.setdefault("dtype", "float64")
    if kind == "batch":
        return DiscriminatorBatchNorm(**options)
    return GroupNorm({"layer": 1, "group": 2, "instance": 0}[kind], **options)


def standardised(kind, x):
    """(x - mean) / sqrt(variance + epsilon), and 1 / sqrt(variance + epsilon), with the sets along the rows."""
    there, _ = SETS[kind]
    rows = there(x)
    reciprocal = 1.0 / np.sqrt(rows.var(axis=1, keepdims=True) + EPSILON)
    return (rows - rows.mean(axis=1, keepdims=True)) * reciprocal, reciprocal


def gradient(kind, x, upstream):
    """d/dx of sum(upstream * y): r (g - mean g - x_hat mean(g x_hat)), with g = gain * upstream."""
    there, back = SETS[kind]
    normal, reciprocal = standardised(kind, x)
    g = there(upstream * GAIN)
    means = g.mean(axis=1, keepdims=True), (g * normal).mean(axis=1, keepdims=True)
    return back(reciprocal * (g - means[0] - normal * means[1]))


@pytest.fixture(params=sorted(SETS))
def kind(request):
    return request.param


@pytest.fixture
def layer(kind):
    layer = made(kind)
    layer.build(X.shape)
    layer.gain.assign(GAIN)
    layer.offset.assign(OFFSET)
    return layer


def test_values(kind, layer):
    _, back = SETS[kind]
    expected = back(standardised(kind, X)[0]) * GAIN + OFFSET
    np.testing.assert_allclose(layer(X, training=True), expected, rtol=0, atol=1e-12)


def test_gradients(kind, layer):
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(WEIGHTS * layer(x, training=True))
    dx, d_gain, d_offset = tape.gradient(loss, [x, layer.gain.value, layer.offset.value])
    _, back = SETS[kind]
    np.testing.assert_allclose(dx, gradient(kind, X, WEIGHTS), rtol=0, atol=1e-12)
    np.testing.assert_allclose(d_gain, (WEIGHTS * back(standardised(kind, X)[0])).sum(axis=(0, 1, 2)), atol=1e-12)
    np.testing.assert_allclose(d_offset, WEIGHTS.sum(axis=(0, 1, 2)), atol=1e-12)


def test_gradients_of_a_penalty_on_the_gradient_go_through_the_moments(kind, layer):
    x = tf.constant(X)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum(WEIGHTS * layer(x, training=True))
        penalty = tf.reduce_sum(tf.square(inner.gradient(loss, x)))
    direction = np.random.default_rng(4).standard_normal(X.shape)
    up, down = (np.sum(gradient(kind, X + step * direction, WEIGHTS) ** 2) for step in (1e-5, -1e-5))
    slope = np.sum(outer.gradient(penalty, x).numpy() * direction)
    assert slope == pytest.approx((up - down) / 2e-5, rel=1e-6)


def test_a_row_depends_on_the_others_in_batch_norm_alone(kind, layer):
    alone = layer(X[1:2], training=True)
    together = layer(X, training=True)[1:2]
    assert np.allclose(alone, together, rtol=0, atol=1e-12) == (kind != "batch")


def test_batch_norm_stores_moments_for_calls_outside_of_training():
    layer = made("batch", momentum=0.8)
    layer(X, training=True)
    mean, variance = X.mean(axis=(0, 1, 2)), X.var(axis=(0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, 0.2 * mean, rtol=1e-12)
    np.testing.assert_allclose(layer.moving_variance, 0.8 + 0.2 * variance, rtol=1e-12)
    expected = (X[:1] - 0.2 * mean) / np.sqrt(0.8 + 0.2 * variance + EPSILON)
    np.testing.assert_allclose(layer(X[:1]), expected, rtol=0, atol=1e-12)


def test_a_norm_in_front_of_a_bias_has_no_offset(kind):
    layer = made(kind, offset=False)
    layer(X)
    assert [variable.name for variable in layer.trainable_variables] == ["gain"]


def test_moments_are_taken_in_float32_where_activations_are_float16(kind):
    layer = made(kind, dtype="mixed_float16")
    y = layer(tf.constant(X * 1000.0, tf.float16), training=True)
    assert y.dtype == tf.float16
    _, back = SETS[kind]
    np.testing.assert_allclose(y, back(standardised(kind, X)[0]), rtol=0, atol=5e-3)


def test_groups_must_divide_the_channels():
    with pytest.raises(ValueError, match=r"num_groups must divide the channels\..* choose a divisor"):
        GroupNorm(4)(X)


def test_class_gain_multiplies_a_row_by_the_gain_of_its_class():
    layer, log_gains = ClassGain(dtype="float64"), np.array([0.5, -0.2, 0.1, 0.0])
    classes = np.eye(4)[[1, 0, 1]]
    np.testing.assert_array_equal(layer(X, classes), X)
    layer.log_gains.assign(log_gains)
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, classes)
        loss = tf.reduce_sum(WEIGHTS * y)
    gains = np.exp(log_gains[[1, 0, 1]])[:, None, None, None]
    np.testing.assert_allclose(y, X * gains, rtol=1e-13)
    dx, d_log_gains = tape.gradient(loss, [x, layer.log_gains.value])
    np.testing.assert_allclose(dx, WEIGHTS * gains, rtol=1e-13)
    by_row = (WEIGHTS * X * gains).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(d_log_gains, [by_row[1], by_row[0] + by_row[2], 0.0, 0.0], atol=1e-12)


def test_class_gain_takes_weights_for_the_classes():
    layer = ClassGain(dtype="float64")
    layer.build(X.shape, (None, 2))
    layer.log_gains.assign([1.0, 3.0])
    classes = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]])
    expected = X * np.exp([2.0, 1.0, 0.0])[:, None, None, None]
    np.testing.assert_allclose(layer(X, classes), expected, rtol=1e-13)


def test_class_gain_needs_classes():
    with pytest.raises(ValueError, match="must be built and called with classes"):
        ClassGain().build(X.shape)
