import dataclasses

import numpy as np
import pytest
import scipy.spatial.distance

from biggan_tf.evaluation.metrics.manifold import manifold_scores, nearest_neighbours, neighbour_distances


def plain_scores(real, fake, k):
    def radii(x):
        return np.sort(scipy.spatial.distance.cdist(x, x), axis=1)[:, k]

    distances = scipy.spatial.distance.cdist(real, fake)
    in_real = distances <= radii(real)[:, None]
    in_fake = distances <= radii(fake)[None, :]
    return {
        "precision": in_real.any(axis=0).mean(),
        "recall": in_fake.any(axis=1).mean(),
        "density": in_real.sum() / (k * len(fake)),
        "coverage": in_real.any(axis=1).mean(),
    }


@pytest.fixture(scope="module")
def features():
    random = np.random.default_rng(0)
    return random.normal(size=(211, 6)) + 5.0, random.normal(scale=0.8, size=(150, 6)) + 5.2


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block_size", [7, 64, 1024])
def test_scores_equal_the_plain_distance_matrix_whatever_the_block(features, k, block_size):
    result = manifold_scores(*features, nearest_k=k, block_size=block_size)
    expected = plain_scores(*features, k)
    assert dataclasses.asdict(result) == pytest.approx(expected, rel=1e-6)
    assert 0 < expected["recall"] < 1


def test_radii_leave_the_point_itself_out_even_among_copies():
    doubled = np.repeat(np.random.default_rng(0).normal(size=(20, 3)), 2, axis=0)
    np.testing.assert_allclose(neighbour_distances(doubled, 1), 0.0, atol=1e-12)
    assert np.all(neighbour_distances(doubled, 2) > 1e-4)


def test_neighbours_come_nearest_first(features):
    real, fake = features
    order = np.argsort(scipy.spatial.distance.cdist(fake, real), axis=1)[:, :4]
    np.testing.assert_array_equal(nearest_neighbours(fake, real, 4, block_size=50), order)


def test_more_neighbours_than_images_are_refused(features):
    with pytest.raises(ValueError, match="nearest_k=150"):
        manifold_scores(*features, nearest_k=150)
