"""Variables without memory: how Keras defers them, and that nothing is left behind."""

import keras
import numpy as np
import pytest

from biggan_tf.interop.deferred_variables import deferred_variables, set_value


def _dense(inputs, units):
    layer = keras.layers.Dense(units, name="dense")
    layer.build((None, inputs))
    return layer


def test_a_layer_of_any_size_is_built_in_no_memory_and_leaves_nothing_for_the_next_scope():
    with deferred_variables():
        layer = _dense(2**30, 2**30)
    assert tuple(layer.kernel.shape) == (2**30, 2**30)
    assert layer.kernel.path == "dense/kernel"
    with keras.StatelessScope():
        pass  # gives memory to every variable that waits for it


def test_an_error_inside_leaves_nothing_for_the_next_scope():
    with pytest.raises(ValueError, match="shape"), deferred_variables():
        _dense(2**30, 2**30).build("no shape")
    with keras.StatelessScope():
        pass


def test_a_deferred_variable_takes_its_value_and_can_be_trained_and_assigned():
    with deferred_variables():
        layer = _dense(2, 3)
    kernel = np.arange(6, dtype=np.float64).reshape(2, 3)
    set_value(layer.kernel, kernel)
    set_value(layer.bias, np.ones(3, np.float32))
    assert layer.kernel.dtype == "float32"
    np.testing.assert_array_equal(layer.kernel, kernel)
    np.testing.assert_array_equal(layer(np.ones((1, 2), np.float32)), kernel.sum(0)[None] + 1)
    set_value(layer.kernel, 2 * kernel)
    np.testing.assert_array_equal(layer.kernel, 2 * kernel)


def test_a_value_of_another_shape_is_refused():
    with deferred_variables():
        layer = _dense(2, 3)
    with pytest.raises(ValueError, match=r"dense/kernel has the shape \(2, 3\)\. Received: \(3, 2\)"):
        set_value(layer.kernel, np.ones((3, 2), np.float32))
