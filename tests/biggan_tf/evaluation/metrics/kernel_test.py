import numpy as np
import pytest

from biggan_tf.evaluation.metrics.kernel import kernel_distance, squared_discrepancy


def plain_discrepancy(x, y):
    def kernel(a, b):
        return (float(np.dot(a, b)) / len(a) + 1.0) ** 3

    n, m = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


@pytest.fixture(scope="module")
def features():
    random = np.random.default_rng(0)
    return random.normal(size=(40, 7)), random.normal(loc=0.5, size=(31, 7))


def test_discrepancy_equals_the_plain_sums(features):
    np.testing.assert_allclose(squared_discrepancy(*features), plain_discrepancy(*features), rtol=1e-6)


def test_one_subset_of_everything_is_the_discrepancy_itself(features):
    x, y = features[0][:31], features[1]
    result = kernel_distance(x, y, num_subsets=3, subset_size=31)
    np.testing.assert_allclose(result.mean, plain_discrepancy(x, y), rtol=1e-6)
    assert result.deviation < 1e-9


def test_subsets_average_to_an_unbiased_estimate():
    random = np.random.default_rng(1)
    x, y = random.normal(size=(400, 5)), random.normal(size=(400, 5))
    result = kernel_distance(x, y, num_subsets=200, subset_size=40)
    assert abs(result.mean) < 4 * result.deviation / np.sqrt(200) + 0.01
    assert result.deviation > 0
    assert result == kernel_distance(x, y, num_subsets=200, subset_size=40)


def test_too_few_images_are_refused(features):
    with pytest.raises(ValueError, match="1 real and 31 generated"):
        kernel_distance(features[0][:1], features[1])
