"""The latents of an export: a row's depend on its own seed and truncation alone, and follow the prior of the run."""

import time

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.config.parts import PARTS
from biggan_tf.latents import row_latents

# Compiled, as an export draws them: row by row in Python, hundreds of rows take seconds.
drawn = tf.function(row_latents, autograph=False)
SEEDS = tf.constant([0, 7, 2**40 + 1], tf.int64)
TRUNCATIONS = tf.constant([1.0, 0.5, 0.02])


def test_normal_latents_are_those_of_the_one_sampler_with_a_key_of_the_rows_seed():
    z = row_latents(SEEDS, TRUNCATIONS, 120).numpy()
    for row, (seed, truncation) in enumerate(zip(SEEDS.numpy(), TRUNCATIONS, strict=True)):
        key = tf.constant([seed, 0], tf.int64)
        np.testing.assert_array_equal(z[row], latents.truncated_normal(key, [120], truncation, "resampling"))


def test_normal_latents_stay_the_same_from_release_to_release():
    golden = np.array(
        [
            [0.3276993, -0.17108722, -0.72942716, -0.059071794],
            [0.4747393, -0.036254868, 0.05999676, 0.14600472],
            [0.018040128, 0.008244856, -0.013468689, -0.006471857],
        ],
        np.float32,
    )
    # The error function and its inverse may differ by a last bit between processors.
    np.testing.assert_allclose(row_latents(SEEDS, TRUNCATIONS, 4), golden, rtol=1e-6)


@pytest.mark.parametrize("prior", sorted(set(PARTS["prior"]) - {"normal"}))
def test_latents_of_another_prior_are_its_own_times_the_truncation(prior):
    z = row_latents(SEEDS, TRUNCATIONS, 120, prior).numpy()
    for row, (seed, truncation) in enumerate(zip(SEEDS.numpy(), TRUNCATIONS.numpy(), strict=True)):
        expected = truncation * latents.prior(prior)(tf.constant([seed, 0], tf.int64), [120]).numpy()
        np.testing.assert_array_equal(z[row], expected)


@pytest.mark.parametrize("truncation", [1.0, 0.25])
def test_uniform_latents_are_uniform_within_the_truncation(truncation):
    z = drawn(tf.range(100, dtype=tf.int64), tf.fill([100], truncation), 120, "uniform").numpy()
    assert np.abs(z).max() <= truncation
    # 12,000 values: the mean's own deviation is 0.0053 and the variance's 0.0027, in units of the truncation.
    assert abs(z.mean() / truncation) < 0.02
    assert abs(z.var() / truncation**2 - 1 / 3) < 0.01
    uniform = scipy.stats.uniform(-truncation, 2 * truncation)
    assert scipy.stats.kstest(z.reshape(-1), uniform.cdf).pvalue > 0.01
    assert scipy.stats.kstest(z.reshape(-1), scipy.stats.truncnorm(-1, 1, scale=truncation).cdf).pvalue < 1e-6


@pytest.mark.parametrize("truncation", [0.02, 0.1, 0.5, 1.0])
def test_normal_latents_follow_the_normal_law_cut_off_at_the_truncation(truncation):
    z = drawn(tf.range(400, dtype=tf.int64), tf.fill([400], truncation), 40).numpy()
    assert np.abs(z).max() <= np.float32(truncation)
    assert scipy.stats.kstest(z.reshape(-1), scipy.stats.truncnorm(-truncation, truncation).cdf).pvalue > 1e-3
    assert len(np.unique(z)) > 0.99 * z.size
    # Rows are independent of one another: the correlation of 40 values of two rows has a deviation of 0.16.
    assert np.abs(np.corrcoef(z)[np.triu_indices(400, 1)]).mean() < 0.15


@pytest.mark.attack
def test_a_small_truncation_costs_as_much_as_a_large_one(attack):
    draw = tf.function(lambda seeds, truncations: row_latents(seeds, truncations, 120), autograph=False)
    rows = 131_072
    seeds = tf.range(rows, dtype=tf.int64)

    def seconds(truncation, count):
        start = time.perf_counter()
        draw(seeds[:count], tf.fill([count], truncation)).numpy()
        return time.perf_counter() - start

    seconds(1.0, 64)
    # Work, counted without a clock: there is no loop but the one over the rows.
    loops = [
        op
        for op in draw.get_concrete_function(seeds, tf.fill([rows], 1.0)).graph.get_operations()
        if "While" in op.type
    ]
    assert len(loops) == 1
    pairs = [(seconds(1.0, 4096), seconds(0.02, 4096)) for _ in range(5)]
    large, small = np.median(pairs, axis=0)
    whole = seconds(0.02, rows)
    assert small < 1.5 * large
    attack(
        "server",
        "latents of 131,072 rows at truncation 0.02",
        1,
        1,
        f"{whole:.1f} s, {small / large:.2f} times as long a row as at truncation 1",
    )
