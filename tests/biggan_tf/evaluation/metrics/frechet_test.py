import numpy as np
import pytest
import scipy.linalg

from biggan_tf.evaluation.metrics.feature_moments import FeatureMoments
from biggan_tf.evaluation.metrics.frechet import frechet_distance, frechet_distance_of_features, trace_of_root


def draw(count, size, seed, scale=1.0):
    random = np.random.default_rng(seed)
    return random.gamma(1.0, scale, (count, size)) @ random.normal(size=(size, size)) / np.sqrt(size)


def plain_parts(a, b):
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    mean = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return mean, np.trace(first) + np.trace(second) - 2 * np.trace(root)


def test_distance_equals_scipys_square_root():
    a, b = draw(400, 32, 0), draw(300, 32, 1, 1.3)
    mean, covariance = plain_parts(a, b)
    result = frechet_distance(FeatureMoments.of(a), FeatureMoments.of(b))
    np.testing.assert_allclose([result.mean, result.covariance], [mean, covariance], rtol=1e-6)
    np.testing.assert_allclose(result.total, mean + covariance, rtol=1e-6)


def exact_rank_deficient_covariance_part(a, b):
    """Tr root(AB) is the nuclear norm of the cross product of the centred features."""
    centred = [x - x.mean(axis=0) for x in (a, b)]
    scaled = [x / np.sqrt(len(x) - 1) for x in centred]
    root = np.linalg.svd(scaled[0] @ scaled[1].T, compute_uv=False).sum()
    return sum(np.sum(x**2) for x in scaled) - 2 * root


@pytest.mark.parametrize(("size", "count"), [(64, 20), (2048, 500)])
def test_rank_deficient_covariances_give_the_exact_distance(size, count):
    random = np.random.default_rng(2)
    a, b = random.gamma(1.0, 1.0, (count, size)), random.gamma(1.0, 1.2, (count, size))
    result = frechet_distance(FeatureMoments.of(a), FeatureMoments.of(b))
    np.testing.assert_allclose(result.covariance, exact_rank_deficient_covariance_part(a, b), rtol=1e-6)
    by_features = frechet_distance_of_features(a, b)
    np.testing.assert_allclose(result.total, by_features.total, rtol=1e-6)


def test_the_plain_square_root_does_turn_complex_there():
    random = np.random.default_rng(2)
    a, b = random.gamma(1.0, 1.0, (20, 64)), random.gamma(1.0, 1.2, (20, 64))
    product = np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)
    assert np.iscomplexobj(scipy.linalg.sqrtm(product))


def test_a_full_and_a_deficient_covariance_agree_in_either_order():
    full, deficient = FeatureMoments.of(draw(500, 64, 0)), FeatureMoments.of(draw(20, 64, 1))
    there, back = frechet_distance(full, deficient), frechet_distance(deficient, full)
    np.testing.assert_allclose(there.total, back.total, rtol=1e-6)


def test_a_set_is_at_no_distance_from_itself():
    moments = FeatureMoments.of(draw(300, 32, 0))
    assert frechet_distance(moments, moments).total < 1e-6 * np.trace(moments.covariance)


def test_a_shift_moves_the_mean_part_alone():
    a = draw(300, 32, 0)
    result = frechet_distance(FeatureMoments.of(a), FeatureMoments.of(a + 2.0))
    np.testing.assert_allclose(result.mean, 32 * 4.0, rtol=1e-9)
    assert result.covariance < 1e-6 * np.trace(np.cov(a, rowvar=False))


def test_zero_covariances_have_no_root():
    assert trace_of_root(np.zeros((3, 3)), np.eye(3)) == 0.0


def test_different_features_are_refused():
    with pytest.raises(ValueError, match="32 and 8 features"):
        frechet_distance(FeatureMoments.of(draw(40, 32, 0)), FeatureMoments.of(draw(40, 8, 0)))
    with pytest.raises(ValueError, match="at least 2 features"):
        frechet_distance_of_features(np.zeros((1, 3)), np.zeros((5, 3)))
