import numpy as np
import pytest

from biggan_tf.evaluation.metrics import feature_bank
from tests.biggan_tf.evaluation.conftest import coloured_images
from tests.two_replicas import two_replicas


def batches(images, labels, size):
    for start in range(0, len(images), size):
        yield images[start : start + size], labels[start : start + size]


@pytest.fixture(scope="module")
def whole(extractor):
    images, labels = coloured_images(50)
    return images, labels, feature_bank.collect(batches(images, labels, 50), extractor)


def assert_same(bank, other):
    assert bank.moments.count == other.moments.count
    np.testing.assert_allclose(bank.moments.mean, other.moments.mean, rtol=1e-6)
    np.testing.assert_allclose(bank.features, other.features, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(bank.labels, other.labels)


@pytest.mark.parametrize("size", [7, 16])
def test_batches_do_not_change_the_bank(extractor, whole, size):
    images, labels, bank = whole
    assert_same(feature_bank.collect(batches(images, labels, size), extractor), bank)


def test_replicas_do_not_change_the_bank(extractor, whole):
    strategy = two_replicas()
    images, labels, bank = whole
    assert_same(feature_bank.collect(batches(images, labels, 7), extractor, strategy=strategy), bank)


def test_workers_merge_to_the_whole(extractor, whole):
    images, labels, bank = whole
    parts = [
        feature_bank.collect(batches(images[part], labels[part], 8), extractor)
        for part in (slice(0, 20), slice(20, 33), slice(33, 50))
    ]
    assert_same(feature_bank.FeatureBank.merged(parts), bank)


def test_the_kept_features_are_bounded_and_the_moments_are_not(extractor, whole):
    images, labels, bank = whole
    result = feature_bank.collect(batches(images, labels, 8), extractor, max_kept=10)
    assert len(result.features) == len(result.labels) == 10
    assert result.moments.count == 50
    np.testing.assert_allclose(result.moments.mean, bank.moments.mean, rtol=1e-6)


def test_too_few_images_are_refused(extractor, whole):
    with pytest.raises(ValueError, match=r"must be 51 images\. Received: 50"):
        feature_bank.collect(batches(*whole[:2], 8), extractor, num_images=51)
