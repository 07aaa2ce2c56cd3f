import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.layers.minibatch_deviation import MinibatchDeviation
from tests.two_replicas import two_replicas

X = np.random.default_rng(0).standard_normal((8, 2, 3, 6))


def numpy_deviation(x, group, channels):
    """Image j is in group j mod (N / G); each new channel is for an equal part of the features."""
    num_groups, part = len(x) // group, x.shape[3] // channels
    planes = np.zeros((*x.shape[:3], channels))
    for j in range(len(x)):
        members = x[j % num_groups :: num_groups]
        for k in range(channels):
            features = members[..., k * part : (k + 1) * part]
            planes[j, ..., k] = np.sqrt(features.var(axis=0) + 1e-8).mean()
    return np.concatenate([x, planes], axis=3)


@pytest.mark.parametrize(("group", "used"), [(4, 4), (2, 2), (None, 8), (3, 2), (100, 8)])
@pytest.mark.parametrize("channels", [1, 2])
def test_it_is_numpys(group, used, channels):
    layer = MinibatchDeviation(group, channels, dtype="float64")
    np.testing.assert_allclose(layer(X), numpy_deviation(X, used, channels), atol=1e-14)
    assert layer.compute_output_shape(X.shape) == (8, 2, 3, 6 + channels)


def test_the_size_of_the_batch_may_be_unknown():
    layer = MinibatchDeviation(4, dtype="float64")
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, 2, 3, 6], tf.float64)], autograph=False)
    for rows in (8, 6, 1):
        np.testing.assert_allclose(traced(X[:rows]), layer(X[:rows]), atol=1e-14)


def test_two_replicas_take_it_over_the_rows_of_both():
    strategy = two_replicas()
    layer = MinibatchDeviation(4, dtype="float64")

    def replica(context_rows):
        return layer(context_rows)

    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(X[4 * context.replica_id_in_sync_group :][:4])
    )
    results = strategy.run(tf.function(replica, autograph=False), args=(halves,))
    got = np.concatenate([part.numpy() for part in strategy.experimental_local_results(results)])
    np.testing.assert_allclose(got, numpy_deviation(X, 4, 1), atol=1e-14)


def test_a_group_of_no_image_is_refused():
    with pytest.raises(ValueError, match=r"group_size must be at least 1, or None .* Received: group_size=0"):
        MinibatchDeviation(0)
