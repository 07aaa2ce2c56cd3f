import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.layers import BatchNorm, BatchNormOptions

X = np.random.default_rng(0).standard_normal((2, 4, 4, 3)) + 1


@pytest.mark.parametrize("unbiased", [True, False])
def test_running_moments_follow_the_batch(unbiased):
    layer = BatchNorm(BatchNormOptions(momentum=0.75, unbiased=unbiased), dtype="float64")
    layer(X, training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.25 * X.mean((0, 1, 2)), rtol=1e-12)
    variance = X.var((0, 1, 2), ddof=1 if unbiased else 0)
    np.testing.assert_allclose(layer.moving_variance, 0.75 + 0.25 * variance, rtol=1e-12)


def test_evaluation_uses_the_running_moments_row_by_row():
    layer = BatchNorm(dtype="float64")
    layer.build(X.shape)
    layer.moving_mean.assign([1.0, 2.0, 3.0])
    layer.moving_variance.assign([4.0, 1.0, 0.25])
    y = layer(X, training=False)
    np.testing.assert_allclose(y, (X - [1, 2, 3]) / np.sqrt(np.array([4, 1, 0.25]) + 1e-5), rtol=0, atol=1e-12)
    np.testing.assert_allclose(layer(X[1:], training=False), y[1:], rtol=0, atol=1e-15)


def test_standing_statistics_interpolate_between_truncations():
    layer = BatchNorm(BatchNormOptions(num_statistics=5), dtype="float64")  # truncations 0, 0.25, 0.5, 0.75, 1
    layer.build(X.shape)
    layer.moving_mean.assign(np.arange(5)[:, None] * np.ones(3))
    at = [layer(X, truncation=t) for t in (0.5, 0.6, 1.0)]
    means = [np.mean(X - np.asarray(y) * np.sqrt(1 + 1e-5)) for y in at]
    np.testing.assert_allclose(means, [2.0, 2.4, 4.0], rtol=1e-12)
    rows = layer(X, truncation=tf.constant([0.5, 1.0]))
    np.testing.assert_allclose(rows[0], at[0][0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(rows[1], at[2][1], rtol=0, atol=1e-12)


def test_standing_statistics_are_not_trained():
    with pytest.raises(ValueError, match="must not be trained"):
        BatchNorm(BatchNormOptions(num_statistics=5))(X, training=True)
