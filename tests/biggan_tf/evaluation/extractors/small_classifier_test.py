"""The classifier's file: what was saved is loaded, and what lies about its size is refused before it is built."""

import uuid

import numpy as np
import pytest

from biggan_tf import files
from biggan_tf.evaluation.extractors import small_classifier
from biggan_tf.evaluation.extractors.features import load_extractor
from biggan_tf.interop.weights_file_error import WeightsFileError


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "classifier.npz"
    network = small_classifier.build(8, 2)
    small_classifier.save(small_classifier.TrainedClassifier(network, 8, ("cat", "dog")), path)
    return path, network


def test_a_saved_classifier_is_loaded(saved):
    path, network = saved
    loaded = small_classifier.load(path)
    assert (loaded.resolution, loaded.class_names) == (8, ("cat", "dog"))
    for ours, theirs in zip(network.get_weights(), loaded.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 10**9}, "a resolution from 1 to 4096. Received: 1000000000"),
        ({"resolution": np.array([8, 8])}, r"a resolution from 1 to 4096. Received: \[8, 8\]"),
        ({"resolution": 64}, "the weights of a classifier for 64 pixels"),
        ({"class_names": np.array(["a"] * 1000)}, "as many classes as its last layer has outputs"),
        ({"class_names": np.zeros((2, 2))}, "as many classes as its last layer has outputs"),
        ({"weight_000": np.zeros(3)}, "the weights of a classifier for 8 pixels"),
        ({"weight_999": np.zeros(2)}, "the weights of a classifier for 8 pixels"),
    ],
)
def test_a_file_that_lies_about_its_size_is_refused(saved, change, message):
    path, _ = saved
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, **change})
    with pytest.raises(WeightsFileError, match=message):
        small_classifier.load(path)


def trained():
    return small_classifier.TrainedClassifier(small_classifier.build(8, 2), 8, ("cat", "dog"))


@pytest.mark.parametrize("scheme", ["", "ram://"])
def test_a_classifier_is_kept_for_the_training_that_it_is_of(tmp_path, scheme):
    path = f"{scheme}{uuid.uuid4().hex if scheme else tmp_path}/classifier.npz"
    of_train = {"split": "train", "num_steps": 3}
    assert not small_classifier.is_kept(path, of_train)
    small_classifier.keep(trained(), path, of_train)
    assert small_classifier.is_kept(path, of_train)
    assert not small_classifier.is_kept(path, of_train | {"split": "validation"})
    assert not small_classifier.is_kept(path, of_train | {"num_steps": 4})
    assert load_extractor("classifier", path).class_names == ("cat", "dog")
    digest = files.sha256(path)
    small_classifier.keep(trained(), path, {"split": "validation", "num_steps": 3})
    assert files.sha256(path) != digest
    assert files.sha256(path.replace(".npz", f"-{digest[:8]}.npz")) == digest  # results name it
    assert not small_classifier.is_kept(path, of_train)


def test_a_classifier_of_which_nothing_is_noted_is_taken_as_it_is(saved):
    path = str(saved[0])
    training = {"split": "train"}
    assert small_classifier.is_kept(path, training)
    small_classifier.keep(trained(), path, {"split": "validation"})
    small_classifier.save(trained(), path)  # by somebody else, so that the note is of another file
    assert small_classifier.is_kept(path, training)
    files.write_text(path.replace(".npz", ".json"), "[")
    assert small_classifier.is_kept(path, training)
