import numpy as np
import pytest

from biggan_tf.evaluation.metrics.feature_moments import FeatureMoments


@pytest.fixture(scope="module")
def features():
    # A mean far from zero is where sums of squares would lose their digits.
    return np.random.default_rng(0).gamma(2.0, 3.0, (601, 24)) + 1e4


def test_moments_equal_numpy_of_all_features(features):
    moments = FeatureMoments.of(features)
    np.testing.assert_allclose(moments.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(features, rowvar=False), rtol=1e-9)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch", [7, 100])
def test_splitting_over_workers_and_batches_changes_nothing(features, workers, batch):
    parts = []
    for worker in range(workers):
        mine = features[worker::workers]
        moments = FeatureMoments.empty(features.shape[1])
        for start in range(0, len(mine), batch):
            moments = moments.merge(FeatureMoments.of(mine[start : start + batch]))
        parts.append(moments)
    merged, whole = FeatureMoments.merged(parts), FeatureMoments.of(features)
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    scale = np.sqrt(np.outer(np.diag(whole.covariance), np.diag(whole.covariance)))
    assert np.max(np.abs(merged.covariance - whole.covariance) / scale) < 1e-9


def test_moments_of_nothing_merge_as_zero(features):
    whole = FeatureMoments.of(features)
    merged = FeatureMoments.empty(24).merge(FeatureMoments.of(features[:0])).merge(whole)
    np.testing.assert_array_equal(merged.scatter, whole.scatter)


def test_non_finite_features_are_refused(features):
    bad = features.copy()
    bad[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"must be finite.*1 non-finite"):
        FeatureMoments.of(bad)


def test_a_covariance_of_one_image_is_refused(features):
    with pytest.raises(ValueError, match=r"at least 2 images\. Received: 1"):
        FeatureMoments.of(features[:1]).covariance  # noqa: B018


def test_moments_of_different_features_do_not_merge(features):
    with pytest.raises(ValueError, match="24 and 3 features"):
        FeatureMoments.of(features).merge(FeatureMoments.empty(3))
