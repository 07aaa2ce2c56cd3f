import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.config.parts import kinds

KEY = np.array([3, 1])

DISTRIBUTIONS = {
    "normal": scipy.stats.norm(),
    "uniform": scipy.stats.uniform(-1, 2),
    "student_t": scipy.stats.t(latents.STUDENT_T_DEGREES),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_prior_follows_its_distribution(name):
    values = latents.prior(name)(KEY, [200, 50]).numpy().ravel()
    assert scipy.stats.kstest(values, DISTRIBUTIONS[name].cdf).pvalue > 1e-3


def test_bernoulli_is_zero_or_one_equally_often():
    values = latents.bernoulli(KEY, [200, 50]).numpy()
    assert set(np.unique(values)) == {0.0, 1.0}
    assert abs(values.mean() - 0.5) < 0.02


def test_censored_normal_is_the_positive_part_of_the_normal():
    np.testing.assert_array_equal(latents.censored_normal(KEY, [9, 5]), np.maximum(latents.normal(KEY, [9, 5]), 0.0))


@pytest.mark.parametrize("name", kinds("prior"))
def test_prior_depends_on_its_key_alone(name):
    prior = latents.prior(name)
    np.testing.assert_array_equal(prior(KEY, [16, 4]), prior(KEY, [16, 4]))
    assert not np.allclose(prior(latents.derive_key(KEY, 1), [16, 4]), prior(KEY, [16, 4]))


def test_priors_compile_under_xla():
    draw = tf.function(
        lambda key: [prior(key, [16, 4]) for prior in map(latents.prior, kinds("prior"))], jit_compile=True
    )
    for values in draw(KEY):
        assert values.shape == (16, 4)
        assert np.isfinite(values).all()


def test_truncation_hub_scales_a_normal_cut_off_at_two():
    values = latents.truncated_normal(KEY, [200, 50], 0.5).numpy().ravel()
    assert scipy.stats.kstest(values / 0.5, scipy.stats.truncnorm(-2, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("truncation", [0.02, 0.1, 0.5, 1.0, 2.0])
def test_truncation_resampling_equals_a_normal_cut_off_at_the_threshold(truncation, compiled):
    draw = tf.function(
        lambda key, threshold: latents.truncated_normal(key, [400, 100], threshold, "resampling"), jit_compile=compiled
    )
    values = draw(KEY, tf.constant(truncation)).numpy().ravel()
    assert np.abs(values).max() <= np.float32(truncation)
    law = scipy.stats.truncnorm(-truncation, truncation)
    assert scipy.stats.kstest(values, law.cdf).pvalue > 1e-3
    # The tails: as many values as there must be within a thousandth and a hundredth of either end.
    for share in (0.001, 0.01):
        for tail in (values < law.ppf(share), values > law.isf(share)):
            assert scipy.stats.binomtest(int(tail.sum()), values.size, share).pvalue > 1e-4
    # Float32 has room for as many different values at a small threshold as at a large one, and all of it is used.
    assert len(np.unique(values)) > 0.99 * values.size


@pytest.mark.parametrize("truncation", [1e-30, 1e-6, 0.0, 8.0, 40.0, 1e30])
def test_truncation_resampling_is_finite_and_within_the_threshold_at_any_threshold(truncation):
    values = latents.truncated_normal(KEY, [400, 100], tf.constant(truncation), "resampling").numpy()
    assert np.abs(values).max() <= np.float32(truncation)
    if truncation == 1e-6:
        # A normal is uniform where it is that narrow.
        assert scipy.stats.kstest(values.ravel(), scipy.stats.uniform(-1e-6, 2e-6).cdf).pvalue > 1e-3
        assert len(np.unique(values)) > 0.99 * values.size
    if truncation >= 8.0:
        assert scipy.stats.kstest(values.ravel(), scipy.stats.norm.cdf).pvalue > 1e-3


def test_truncation_scaling_scales_the_deviation():
    values = latents.truncated_normal(KEY, [200, 50], 0.5, "scaling").numpy().ravel()
    assert scipy.stats.kstest(values, scipy.stats.norm(0, 0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("truncation", "method"), [(0.0, "hub"), (1.0, "hup")])
def test_truncation_refuses_what_it_cannot_do(truncation, method):
    with pytest.raises(ValueError, match="must be"):
        latents.truncated_normal(KEY, [2, 2], truncation, method)


def test_labels_are_uniform_or_follow_the_frequencies():
    uniform = np.bincount(latents.LabelSampler(4)(KEY, 8000), minlength=4)
    assert scipy.stats.chisquare(uniform).pvalue > 1e-3
    weighted = np.bincount(latents.LabelSampler(4, [1, 0, 2, 5])(KEY, 8000), minlength=4)
    assert weighted[1] == 0
    assert scipy.stats.chisquare(weighted[[0, 2, 3]], [1000, 2000, 5000]).pvalue > 1e-3


def test_labels_of_an_unconditional_model_are_zero():
    np.testing.assert_array_equal(latents.LabelSampler(0)(KEY, 3), [0, 0, 0])


@pytest.mark.parametrize("frequencies", [[1, 2], [0, 0, 0], [1, -1, 2]])
def test_labels_refuse_frequencies_that_are_none(frequencies):
    with pytest.raises(ValueError, match="frequencies must hold 3 numbers"):
        latents.LabelSampler(3, frequencies)


def test_a_prior_is_looked_up_inside_of_a_graph_without_a_warning(caplog):
    @tf.function
    def sample(key):
        return latents.prior("uniform")(key, [3])

    key = tf.constant([0, 1])
    np.testing.assert_array_equal(sample(key), latents.prior("uniform")(key, [3]))
    # The type checks of the tests hide the source of `uniform` from AutoGraph, and it says so, once in a process.
    assert "<function prior" not in caplog.text
