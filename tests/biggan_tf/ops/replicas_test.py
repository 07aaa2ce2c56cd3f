import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops.replicas import mean_over_replicas
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
