import numpy as np
import pytest

from biggan_tf.evaluation import feature_bank, frechet, metrics, reference_statistics, small_classifier
from biggan_tf.evaluation.features import load_extractor
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
