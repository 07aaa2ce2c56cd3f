import numpy as np
import tensorflow as tf

from biggan_tf.evaluation import noise_maps

RANDOM = np.random.default_rng(3)


def by_hand(noise):
    """The loss of one map [size, size]: of its pyramid, products with the left and with the upper neighbour."""
    total = 0.0
    while True:
        size = len(noise)
        for dy, dx in ((0, 1), (1, 0)):
            products = [noise[y, x] * noise[y - dy, x - dx] for y in range(size) for x in range(size)]
            total += (sum(products) / size**2) ** 2
        if size <= 8:
            return total
        means = [[noise[y : y + 2, x : x + 2].mean() for x in range(0, size, 2)] for y in range(0, size, 2)]
        noise = 2.0 * np.array(means)


def test_the_correlation_is_that_of_the_equation():
    maps = [RANDOM.standard_normal((1, size, size, 1)) for size in (4, 8, 32)]
    wanted = sum(by_hand(each[0, :, :, 0]) for each in maps)
    got = noise_maps.correlation([tf.constant(each) for each in maps])
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_a_pyramid_of_noise_keeps_its_variance():
    noise = tf.constant(RANDOM.standard_normal((1, 256, 256, 1)))
    sizes, variances = zip(*((level.shape[1], np.var(level)) for level in noise_maps.pyramid(noise)), strict=True)
    assert sizes == (256, 128, 64, 32, 16, 8)
    np.testing.assert_allclose(variances[:4], 1.0, atol=0.15)


def test_a_picture_in_the_noise_costs_more_than_noise():
    noise = RANDOM.standard_normal((1, 32, 32, 1))
    waves = np.sin(np.arange(32) / 5.0)[None, :, None, None] * np.ones((1, 32, 32, 1))
    costs = [
        float(noise_maps.correlation([noise_maps.normalised(tf.constant(each))])) for each in (noise, noise + waves)
    ]
    assert costs[1] > 10 * costs[0]


def test_a_normalised_map_has_mean_0_and_variance_1():
    found = noise_maps.normalised(tf.constant(3.0 + 2.0 * RANDOM.standard_normal((1, 16, 16, 1)))).numpy()
    np.testing.assert_allclose([found.mean(), found.var()], [0.0, 1.0], atol=1e-12)
