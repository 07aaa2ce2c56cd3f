"""What every family's discriminator does with classes."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config.parts import load
from tests.families.registry import smallest

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
WITH_HEADS = ["biggan", "progan", "r3gan", "stylegan2", "stylegan3"]
every_family = pytest.mark.parametrize("kind", WITH_HEADS)


@every_family
def test_a_row_of_weights_may_stand_for_a_label(kind):
    discriminator = smallest(kind, num_classes=3).model.discriminator()
    expected = discriminator((IMAGES, np.array([2, 1]))).logits
    for weights in (np.eye(3)[[2, 1]], np.eye(3, dtype=np.int64)[[2, 1]]):
        np.testing.assert_allclose(discriminator((IMAGES, weights)).logits, expected, rtol=0, atol=1e-6)


@every_family
@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, np.ones((2, 4)), r"a column for each of 3 classes. Received: shape \(2, 4\)"),
        (IMAGES, np.array([0.0, 1.0]), "labels must be integers"),
        (IMAGES, np.array([0, 3]), r"labels must lie in 0 ... 2. Received: \[3\]"),
        (np.full((2, 8, 8, 3), 255, np.uint8), np.array([0, 1]), "divide bytes by 127.5 and subtract 1"),
    ],
)
def test_what_is_no_batch_is_named(kind, images, labels, message):
    with pytest.raises(ValueError, match=message):
        smallest(kind, num_classes=3).model.discriminator()((images, labels))


@pytest.mark.parametrize("kind", ["biggan", "r3gan"])
def test_a_function_of_images_and_labels_in_one_dtype_is_traced_as_keras_does_it_to_save_a_network(kind):
    discriminator = smallest(kind, num_classes=3).model.discriminator()
    logits = tf.function(lambda images, labels: discriminator((images, labels)).logits)
    traced = logits.get_concrete_function(tf.TensorSpec((None, 8, 8, 3)), tf.TensorSpec((None,), tf.float32))
    expected = discriminator((IMAGES, np.array([2, 1]))).logits
    np.testing.assert_allclose(traced(tf.constant(IMAGES), tf.constant([2.0, 1.0])), expected, rtol=0, atol=1e-6)


def paths(kind, condition):
    """Which kernels a regularisation of all kernels leaves out."""
    config = smallest(kind, num_classes=3, condition=load("condition", condition)())
    return {variable.path.partition("/")[2] for variable in config.model.discriminator().kernels_left_alone()}


@every_family
@pytest.mark.parametrize("condition", ["contragan", "reacgan"])
def test_proxies_are_left_out_of_the_regularisation_of_kernels(kind, condition):
    assert paths(kind, condition) == {"condition_head/proxies"}


@every_family
def test_a_condition_without_proxies_leaves_none_out(kind):
    assert paths(kind, "acgan") == set()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("biggan", "head/embedding/kernel"),
        ("r3gan", "class_embedding/kernel"),
        ("stylegan2", "class_embedding/kernel"),
        ("stylegan3", "class_embedding/kernel"),
    ],
)
def test_the_table_of_classes_is_left_out_of_the_regularisation_of_kernels(kind, expected):
    assert paths(kind, "projection") == {expected}
