"""What `GAN.fit` is given: taken where its meaning is clear, and else refused in a sentence."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.training import fit_inputs
from tests.biggan_tf.training import tiny

IMAGES, LABELS = tiny.batch(4)


def test_uint8_images_become_floats_in_the_range():
    grey = np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3)
    images = fit_inputs.as_images(tf.constant(grey))
    np.testing.assert_allclose(np.ravel(images), [-1.0, -0.6, 1.0], atol=1e-6)


def test_floats_in_the_range_stay_as_they_are():
    np.testing.assert_array_equal(fit_inputs.as_images(tf.constant(IMAGES)), IMAGES)


@pytest.mark.parametrize(
    "wrong", [IMAGES * 100, np.full_like(IMAGES, np.nan), IMAGES + 0.5], ids=["255", "nan", "shifted"]
)
@pytest.mark.parametrize("kind", ["array", "dataset", "batch"])
def test_images_outside_of_the_range_are_refused(wrong, kind):
    calls = {
        "array": lambda: fit_inputs.refuse_values(wrong),
        "dataset": lambda: list(fit_inputs.refuse_values(tf.data.Dataset.from_tensors((wrong, LABELS)))),
        "batch": lambda: fit_inputs.batch_of((wrong, LABELS), 3),
    }
    with pytest.raises(ValueError, match=r"^Images must lie in \[-1, 1\].*divide by 127.5 and subtract 1.$"):
        fit_inputs.with_clear_errors(calls[kind])


def test_sound_datasets_and_arrays_are_handed_on():
    dataset = tf.data.Dataset.from_tensors((IMAGES, LABELS))
    ((images, labels),) = fit_inputs.refuse_values(dataset)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert fit_inputs.refuse_values(IMAGES) is IMAGES
    (alone,) = fit_inputs.refuse_values(tf.data.Dataset.from_tensors(IMAGES))
    np.testing.assert_array_equal(alone, IMAGES)


def test_images_of_other_integers_are_refused():
    with pytest.raises(ValueError, match="Received: int32; cast them"):
        fit_inputs.as_images(tf.zeros([2, 8, 8, 3], tf.int32))


def test_images_alone_are_a_batch_without_classes_alone():
    assert fit_inputs.batch_of(IMAGES, 0).labels.numpy().tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"must be trained on .images, labels.\. Received: images alone"):
        fit_inputs.batch_of(IMAGES, 3)
    with pytest.raises(ValueError, match="weighs all images alike"):
        fit_inputs.batch_of((IMAGES, LABELS, np.ones(4)), 3)


def test_labels_in_a_column_are_taken_and_weights_stay_as_they_are():
    images = fit_inputs.batch_of((IMAGES, LABELS[:, None].astype(np.uint8)), 3)
    np.testing.assert_array_equal(images.labels, LABELS)
    weights = np.ones((4, 1), np.float32)
    assert fit_inputs.batch_of((IMAGES, weights), 1).labels.shape == (4, 1)


def test_weights_of_samples_are_refused_as_an_array_and_what_fit_has_by_default_is_not():
    with pytest.raises(ValueError, match="Received: sample_weight; leave that out"):
        fit_inputs.refuse_options_of_fit({"sample_weight": np.ones(4)})
    with pytest.raises(ValueError, match="Received: validation_split; leave that out"):
        fit_inputs.refuse_options_of_fit({"validation_split": 0.1})
    fit_inputs.refuse_options_of_fit({"validation_split": 0.0, "sample_weight": None})


def test_an_optimizer_is_given_by_its_name_or_itself_and_each_network_has_its_own():
    assert isinstance(fit_inputs.optimizer_for("rmsprop", "generator"), keras.optimizers.RMSprop)
    given = keras.optimizers.SGD(0.25)
    own = fit_inputs.optimizer_for(given, "generator")
    assert own is not given
    assert float(own.learning_rate) == 0.25
    assert fit_inputs.optimizer_for({"generator": given}, "generator") is given
    with pytest.raises(ValueError, match="must have a 'generator' and a 'discriminator'"):
        fit_inputs.optimizer_for({"generator": given}, "discriminator")
