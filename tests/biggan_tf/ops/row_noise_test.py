import numpy as np
import tensorflow as tf

from biggan_tf.ops.row_noise import correlate, row_normal

KEYS = tf.constant([[1, 2], [3, 4], [1, 2]], tf.int64)


def test_a_rows_noise_depends_on_its_key_alone():
    together, alone = row_normal(KEYS, 5).numpy(), row_normal(KEYS[1:2], 5).numpy()
    np.testing.assert_array_equal(together[0], together[2])
    np.testing.assert_array_equal(together[1], alone[0])
    assert not np.array_equal(together[0], together[1])


def test_noise_is_normal():
    values = row_normal(tf.constant([[5, 6]], tf.int64), 100_000).numpy()
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02
    assert abs((values**4).mean() - 3) < 0.15


def test_correlated_noise_has_the_variance_and_the_correlations_of_an_autoregression():
    noise = np.random.default_rng(0).standard_normal((4000, 6, 5, 1))
    got = correlate(tf.constant(noise), 0.6).numpy()[..., 0]
    assert np.abs(got.var(axis=0) - 1).max() < 0.15
    for down, right in ((1, 0), (0, 2), (2, 1)):
        product = got[:, : 6 - down, : 5 - right] * got[:, down:, right:]
        assert abs(product.mean() - 0.6 ** (down + right)) < 0.03
    np.testing.assert_array_equal(correlate(tf.constant(noise), 0.0), noise)
