"""What networks refuse to be called with: shapes, dtypes and classes, eagerly and while a function is traced."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts.input_checks import are_weights, check_images, check_labels, class_weights


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_images_are_floating_point_numbers(dtype):
    check_images(np.zeros((2, 8, 8, 3), dtype), 8)
    check_images(np.zeros((2, 5, 7, 3), dtype), None)
    check_images(tf.zeros((2, 8, 8, 3), dtype), 8)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_images_of_other_numbers_are_refused_with_what_to_do(dtype):
    expected = rf"in \[-1, 1\]. Received: {dtype}; divide bytes by 127.5 and subtract 1"
    with pytest.raises(ValueError, match=expected):
        check_images(np.zeros((2, 8, 8, 3), dtype), 8)
    with pytest.raises(ValueError, match=expected):
        tf.function(lambda x: check_images(x, None)).get_concrete_function(tf.TensorSpec((None, None, None, 3), dtype))


def test_images_of_any_size_still_need_three_channels():
    with pytest.raises(ValueError, match=r"shape \(N, H, W, 3\). Received: shape \(2, 8, 8, 4\)"):
        check_images(np.zeros((2, 8, 8, 4), np.float32), None)
    with pytest.raises(ValueError, match=r"Received: shape \(2, 3, 8, 8\); transpose them from NCHW"):
        check_images(np.zeros((2, 3, 8, 8), np.float32), None)


@pytest.mark.parametrize("labels", [[0, 2], (0, 2), np.array([0, 2], np.uint8), tf.constant([0, 2], tf.int64)])
def test_labels_are_integers_of_any_kind(labels):
    check_labels(labels, 3)
    np.testing.assert_array_equal(class_weights(labels, 3, "float64"), np.eye(3)[[0, 2]])


def test_labels_of_another_dtype_are_refused_while_a_function_is_traced_too():
    for labels in (np.zeros(2), np.zeros(2, bool)):
        with pytest.raises(ValueError, match=r"labels must be integers\. Received: (float64|bool); for a mixture"):
            check_labels(labels, 3)
    with pytest.raises(ValueError, match=r"labels must be integers\. Received: float32"):
        tf.function(lambda x: check_labels(x, 3)).get_concrete_function(tf.TensorSpec((None,), tf.float32))
    tf.function(lambda x: check_labels(x, 3)).get_concrete_function(tf.TensorSpec((None,), tf.int32))


def test_weights_are_a_matrix_with_a_column_for_each_class():
    assert are_weights(np.zeros((2, 3)), 3)
    assert not are_weights([0, 2], 3)
    np.testing.assert_array_equal(class_weights(np.array([[0, 1, 0]]), 3, "float32"), [[0.0, 1.0, 0.0]])
    with pytest.raises(ValueError, match=r"a column for each of 3 classes. Received: shape \(2, 4\)"):
        are_weights(np.zeros((2, 4)), 3)
