import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.evaluation.metrics.perceptual_path import great_circle, perceptual_path_length
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from tests.biggan_tf.families.stylegan2 import smallest as stylegan2


def test_images_depend_on_the_seed_and_their_number_alone(generator):
    ones = list(GeneratorSampler(generator, seed=3, batch_size=4).batches(10))
    other = list(GeneratorSampler(generator, seed=3, batch_size=7).batches(10))
    images, labels = (np.concatenate(column) for column in zip(*ones, strict=True))
    same, same_labels = (np.concatenate(column) for column in zip(*other, strict=True))
    np.testing.assert_array_equal(labels, same_labels)
    assert np.max(np.abs(images.astype(int) - same.astype(int))) <= 1
    assert np.any(images[0] != images[1])
    another = GeneratorSampler(generator, seed=4)
    assert np.any(another.latents([0]).numpy() != GeneratorSampler(generator, seed=3).latents([0]).numpy())


@pytest.mark.parametrize(
    ("method", "distribution"),
    [
        ("resampling", scipy.stats.truncnorm(-0.7, 0.7)),
        ("hub", scipy.stats.truncnorm(-2, 2, scale=0.7)),
        ("scaling", scipy.stats.norm(scale=0.7)),
    ],
)
def test_each_truncation_has_its_own_distribution(generator, method, distribution):
    sampler = GeneratorSampler(generator, truncation=0.7, method=method)
    draws = sampler.latents(np.arange(800)).numpy().ravel()
    assert scipy.stats.kstest(draws, distribution.cdf).pvalue > 1e-3
    # Clipping would pile draws up at the threshold.
    assert np.mean(np.abs(draws) >= 0.7 - 1e-6) < 1e-3 or method != "resampling"
    for other in (scipy.stats.truncnorm(-0.7, 0.7), scipy.stats.norm(scale=0.7)):
        if other.var() != distribution.var():
            assert scipy.stats.kstest(draws, other.cdf).pvalue < 1e-3


def test_a_sampler_at_another_truncation_equals_one_made_with_it(generator):
    sampler = GeneratorSampler(generator, seed=5)
    numbers = np.arange(4)
    for truncation in (0.3, None):
        other = sampler.at(truncation)
        wanted = GeneratorSampler(generator, seed=5, truncation=truncation)
        np.testing.assert_array_equal(other.latents(numbers), wanted.latents(numbers))
        assert other.protocol(4) == wanted.protocol(4)
    assert sampler.truncation is None


def test_the_protocol_says_how_the_samples_were_made(generator):
    sampler = GeneratorSampler(generator, truncation=0.5, method="hub", seed=2, batch_norm="standing")
    protocol = sampler.protocol(100)
    assert protocol.truncation == "hub 0.5"
    assert (protocol.batch_norm, protocol.num_images, protocol.seed) == ("standing", 100, 2)


def test_only_the_normal_prior_is_truncated(generator):
    with pytest.raises(ValueError, match="only the normal prior"):
        GeneratorSampler(generator, truncation=0.5, prior="uniform")


def test_the_great_circle_keeps_the_length():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 5, 64))
    second *= np.linalg.norm(first, axis=1, keepdims=True) / np.linalg.norm(second, axis=1, keepdims=True)
    lengths = np.linalg.norm(great_circle(first, second, 0.3), axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(first, axis=1), rtol=1e-9)
    np.testing.assert_allclose(great_circle(first, second, 0.0), first, atol=1e-9)
    np.testing.assert_allclose(great_circle(first, first, 0.5), first, atol=1e-9)


def test_path_length_hardly_depends_on_the_step(generator, extractor):
    sampler = GeneratorSampler(generator, seed=1)
    lengths = [perceptual_path_length(sampler, extractor, num_pairs=24, epsilon=e) for e in (1e-2, 2e-3)]
    assert lengths[0] > 0
    assert lengths[1] == pytest.approx(lengths[0], rel=0.3)


def test_a_family_that_truncates_styles_gets_latents_as_they_are():
    made = stylegan2.model(num_classes=0).generator()
    made.mean_w.assign(np.linspace(-1, 1, 6))
    sampler = GeneratorSampler(made, truncation=0.5, cutoff=2, seed=3)
    whole = GeneratorSampler(made, seed=3)
    numbers = np.arange(3)
    z = sampler.latents(numbers)
    np.testing.assert_array_equal(z, whole.latents(numbers))
    ws, plain = sampler.styles(z), whole.styles(z)
    np.testing.assert_allclose(ws[:, :2], (made.mean_w + plain[:, :2]) / 2, atol=1e-6)
    np.testing.assert_allclose(ws[:, 2:], plain[:, 2:], atol=1e-6)
    images = sampler.images(z, keys=sampler.keys(numbers))
    other = sampler.images_of_styles(ws, sampler.keys(numbers))
    assert np.abs(images.astype(int) - other).max() <= 1
    assert sampler.protocol(3).truncation == "psi 0.5 in 2 layers"
    assert sampler.at(None).protocol(3).truncation == "none"


@pytest.mark.parametrize("as_served", [False, True])
def test_a_whole_number_truncates_as_the_same_fraction_does(generator, as_served):
    whole, fraction = (GeneratorSampler(generator, truncation=value, as_served=as_served) for value in (1, 1.0))
    z = whole.latents([0, 1])
    np.testing.assert_array_equal(z, fraction.latents([0, 1]))
    embedding = whole.embed([0, 1])
    np.testing.assert_array_equal(whole.float_images(z, embedding), fraction.float_images(z, embedding))


def test_a_cutoff_needs_styles(generator):
    with pytest.raises(ValueError, match=r"cutoff=3 with biggan"):
        GeneratorSampler(generator, cutoff=3)
    with pytest.raises(ValueError, match=r"styles w, such as a StyleGAN. Received: biggan"):
        GeneratorSampler(generator).styles(np.zeros([1, generator.config.z_dim]))


def test_as_served_a_picture_has_the_latents_and_the_noise_of_its_own_seed(generator):
    sampler = GeneratorSampler(generator, seed=5, truncation=0.7, as_served=True)
    seeds, truncations = tf.constant([5, 6, 7], tf.int64), tf.fill([3], 0.7)
    served = latents.row_latents(seeds, truncations, generator.config.z_dim)
    np.testing.assert_array_equal(sampler.latents([0, 1, 2]), served)
    np.testing.assert_array_equal(sampler.keys([0, 1, 2]), latents.noise_keys(seeds))
    next_seed = GeneratorSampler(generator, seed=6, truncation=0.7, as_served=True)
    np.testing.assert_array_equal(next_seed.latents([0, 1]), served[1:])
    assert sampler.at(None).latents([0]).shape == (1, generator.config.z_dim)


def test_a_truncation_of_latents_that_leaves_none_is_refused_without_a_graph(generator):
    with pytest.raises(ValueError, match=r"^the truncation of latents must be larger than 0. Received: -1$"):
        GeneratorSampler(generator, truncation=-1.0)
