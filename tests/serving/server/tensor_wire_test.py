"""Tensors on the wire: what our encoder writes is what TensorFlow reads."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.server.tensor_wire import encode
from tests.serving import echo_model


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in echo_model.TYPES if kind != tf.string], ids=lambda kind: kind.name)
def test_tensorflow_reads_the_values_that_were_written(kind, as_content):
    values = np.random.default_rng(0).integers(0, 256, (3, 5, 7)).astype(kind.as_numpy_dtype)
    proto = tensor_pb2.TensorProto.FromString(encode(values, as_content))
    np.testing.assert_array_equal(tf.make_ndarray(proto), values)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 2**20, 2**20 + 1])
@pytest.mark.parametrize("values", [[0], [127], [128], [255], [127, 128], [128, 0, 255]])
def test_bytes_of_any_number_and_value_are_written_whole(size, values):
    array = np.resize(np.array(values, np.uint8), size)
    proto = tensor_pb2.TensorProto.FromString(encode(array, as_content=False))
    np.testing.assert_array_equal(np.array(proto.int_val, np.uint8), array)
