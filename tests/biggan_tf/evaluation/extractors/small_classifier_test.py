"""The classifier's file: what was saved is loaded, and what lies about its size is refused before it is built."""

import numpy as np
import pytest

from biggan_tf.evaluation.extractors import small_classifier
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
