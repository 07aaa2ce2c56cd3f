import copy
import dataclasses

import numpy as np
import pytest

from biggan_tf.evaluation.extractors import small_classifier
from biggan_tf.evaluation.extractors.features import load_extractor
from biggan_tf.evaluation.metrics import all_metrics as metrics
from biggan_tf.evaluation.metrics import feature_bank, frechet, reference_statistics
from biggan_tf.training.checkpoints.deciding_metric import name_and_direction
from tests.biggan_tf.evaluation.conftest import CLASS_NAMES, coloured_images


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    def batches():
        for seed in range(60):
            images, labels = coloured_images(24, seed)
            yield images.astype(np.float32) / 127.5 - 1, labels

    path = tmp_path_factory.mktemp("classifier") / "classifier.npz"
    small_classifier.save(small_classifier.train(batches(), 32, CLASS_NAMES, num_steps=60), path)
    return load_extractor("classifier", str(path))


@pytest.fixture(scope="module")
def reference(data_folder, classifier):
    return reference_statistics.build(data_folder, classifier)


def bank_of(extractor, images, labels):
    return feature_bank.collect([(images, labels)], extractor)


def test_every_metric_tells_the_same_images_from_swapped_classes(reference, classifier):
    names = ("fd", "is", "kid", "prdc", "intra_fd", "accuracy")
    images, labels = coloured_images(60, seed=99)
    good = metrics.compute(names, reference, bank_of(classifier, images, labels), classifier)
    swapped = metrics.compute(names, reference, bank_of(classifier, images, (labels + 1) % 3), classifier)
    assert good["accuracy"] == 1.0
    assert swapped["accuracy"] == 0.0
    assert swapped["fd_classifier"] == pytest.approx(good["fd_classifier"])
    assert swapped["intra_fd_classifier"] > 10 * good["intra_fd_classifier"]
    assert good["fd_classifier"] == pytest.approx(
        good["fd_classifier_mean_part"] + good["fd_classifier_covariance_part"]
    )
    assert good["coverage"] > 0.5


def test_numbers_come_in_the_order_in_which_their_metrics_are_asked_for(reference, classifier):
    bank = bank_of(classifier, *coloured_images(30, seed=99))
    results = metrics.compute(("accuracy", "prdc", "fd"), reference, bank, classifier)
    assert list(results)[:2] == ["accuracy", "precision"]
    assert list(results)[-3] == "fd_classifier"


def test_the_inception_score_has_the_name_of_its_features_and_leaves_inceptions_bias_out(reference, classifier):
    bank = bank_of(classifier, *coloured_images(60, seed=99))
    plain = metrics.compute(("is",), reference, bank, classifier)
    assert set(plain) == {"is_classifier", "is_classifier_deviation"}
    assert name_and_direction(plain) == ("is_classifier", False)
    biased = copy.copy(classifier)
    biased.score_bias = np.array([30.0, -20.0, 0.0], np.float32)
    moved = dataclasses.replace(bank, logits=bank.logits + biased.score_bias)
    again = metrics.compute(("is",), reference, moved, biased)
    assert again["is_classifier"] == pytest.approx(plain["is_classifier"], rel=1e-5)
    assert metrics.compute(("is",), reference, moved, classifier)["is_classifier"] != pytest.approx(
        plain["is_classifier"], rel=1e-3
    )
    assert metrics.computation(("is",), biased).score_logits == "logits without bias"


def test_the_names_of_other_codes_are_explained():
    with pytest.raises(ValueError, match=r"fid is fd with --features=inception .* Received: fid"):
        metrics.check_names(("fid", "kid"))


def test_noise_is_farther_than_the_data(reference, classifier):
    images, labels = coloured_images(60, seed=99)
    noise = np.random.default_rng(0).integers(0, 256, images.shape).astype(np.uint8)
    good, bad = (
        metrics.compute(("fd", "prdc"), reference, bank_of(classifier, x, labels), classifier) for x in (images, noise)
    )
    assert bad["fd_classifier"] > 10 * good["fd_classifier"]
    assert bad["precision"] < good["precision"]


def test_the_distance_within_classes_is_that_of_their_features(reference, classifier):
    images, labels = coloured_images(60, seed=99)
    bank = bank_of(classifier, images, labels)
    real = reference.bank
    expected = [
        frechet.frechet_distance_of_features(real.features[real.labels == c], bank.features[bank.labels == c]).total
        for c in range(3)
    ]
    result = metrics.intra_class_distance(real, bank, "fd")
    assert result["intra_fd"] == pytest.approx(np.mean(expected))
    assert result["intra_fd_worst_class"] == np.argmax(expected)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match=r"fd, is, kid.*Received: fdd"):
        metrics.check_names(["fd", "fdd"])


def test_accuracy_needs_an_extractor_that_knows_the_classes(reference, classifier):
    with pytest.raises(ValueError, match="does not know"):
        metrics.sample_accuracy(reference.bank, classifier, ("zebra",))


@pytest.mark.parametrize("name", metrics.OF_CLASSES)
def test_images_of_no_class_are_refused_by_metrics_of_classes(reference, classifier, name):
    images, labels = coloured_images(12, seed=99)
    for label in (-1, 3):  # in no folder of a class, or of a class that the real images have not
        labels[4] = label
        with pytest.raises(ValueError, match=rf"{name} must be computed of images .*Received: 1 of 12 without"):
            metrics.compute((name,), reference, bank_of(classifier, images, labels), classifier)
    assert metrics.compute(("fd",), reference, bank_of(classifier, images, np.full(12, -1)), classifier)


def test_a_generator_of_other_classes_than_the_data_is_refused_by_metrics_of_classes():
    metrics.require_classes(("fd",), 0)
    metrics.require_classes(("accuracy", "intra_fd"), 3)
    metrics.require_classes(("accuracy", "intra_fd"), 3, CLASS_NAMES)
    with pytest.raises(ValueError, match=r"accuracy and intra_fd must .*the classes of.*Received: one with no classes"):
        metrics.require_classes(("accuracy", "fd", "intra_fd"), 0)
    with pytest.raises(ValueError, match=r"intra_fd must .*with the 3 classes.*Received: one with 4 classes"):
        metrics.require_classes(("intra_fd",), 4, CLASS_NAMES)
