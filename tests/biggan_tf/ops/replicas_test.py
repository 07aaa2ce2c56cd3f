import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops.replicas import mean_over_replicas, means_over_replicas
from tests.two_replicas import two_replicas

pytestmark = pytest.mark.processor


@pytest.mark.parametrize(("group_size", "expected"), [(0, [2.0, 2.0]), (2, [2.0, 2.0]), (1, [1.0, 3.0])])
def test_mean_is_over_the_group(group_size, expected):
    strategy = two_replicas()
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([1.0 + 2.0 * context.replica_id_in_sync_group])
    )
    result = tf.function(lambda: strategy.run(mean_over_replicas, (values, group_size)))()
    got = [float(local[0]) for local in strategy.experimental_local_results(result)]
    np.testing.assert_allclose(got, expected)


def test_mean_is_the_tensor_itself_without_replicas():
    tensor = tf.constant([1.0, 2.0])
    assert mean_over_replicas(tensor) is tensor


def test_means_of_several_tensors_are_over_all_replicas():
    strategy = two_replicas()
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([1.0 + 2.0 * context.replica_id_in_sync_group])
    )
    run = tf.function(lambda: strategy.run(lambda x: means_over_replicas([x, -10.0 * x[0]]), (values,)))
    for mean in run():
        for local in strategy.experimental_local_results(mean):
            np.testing.assert_allclose(local, [2.0] if len(local.shape) else -20.0)


def test_means_are_the_tensors_themselves_without_replicas():
    tensors = (tf.constant([1.0, 2.0]), tf.constant(3.0))
    assert all(mean is tensor for mean, tensor in zip(means_over_replicas(tensors), tensors, strict=True))
