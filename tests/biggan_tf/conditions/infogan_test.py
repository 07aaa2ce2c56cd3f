"""InfoGAN's bound and codes against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.conditions.config import InfoGANConfig
from biggan_tf.conditions.infogan import InfoGANCondition
from biggan_tf.contracts.game import Round
from biggan_tf.inference.batch_norm_moments import moments_of
from tests.biggan_tf.conditions.judged import WIDTH, assert_slope, head_of, judged, labels, random
from tests.families.registry import SAMPLING, smallest

CONFIG = InfoGANConfig(categories=(3, 2), normal_codes=2, weight=0.5)
Z = random(6, 9, seed=3)


class LatentRound(Round):
    """A round of given latents."""

    def latents(self):
        return tf.constant(Z)


def numpys(answers):
    """H(c) + E[log Q(c | x)], code by code."""
    bound = 0.0
    for start, size in ((0, 3), (3, 2)):
        logits = answers[:, start : start + size]
        log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        chosen = Z[:, start : start + size].argmax(axis=1)
        bound += np.log(size) + log_shares[np.arange(6), chosen].mean()
    mean, variance = answers[:, 5:7], np.exp(answers[:, 7:9])
    likelihood = np.exp(-np.square(Z[:, 5:7] - mean) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    return bound + np.log(2 * np.pi * np.e) + np.log(likelihood).sum(axis=1).mean()


def test_both_terms_are_numpys():
    condition = InfoGANCondition(CONFIG)
    head = head_of(condition)
    features = random(6, WIDTH)
    fake = judged(head, features, labels(6))
    expected = numpys(features @ np.asarray(head.layers["codes"].kernel) + np.asarray(head.layers["codes"].bias))
    for (term, scalars), name in (
        (condition.discriminator_term(LatentRound(), fake, fake), "d_information"),
        (condition.generator_term(LatentRound(), fake), "g_information"),
    ):
        np.testing.assert_allclose([term, scalars[name]], [-0.5 * expected, expected], rtol=1e-5)  # 1e-6 in the guards
    assert_slope(lambda x: condition.generator_term(LatentRound(), judged(head, x, labels(6)))[0], features)


def test_a_perfect_guess_of_a_category_is_its_entropy():
    condition = InfoGANCondition(InfoGANConfig(categories=(3,), normal_codes=0, weight=1.0))
    head = head_of(condition)
    fake = judged(head, random(6, WIDTH), labels(6))
    sure = 1e3 * (Z[:, :3] == Z[:, :3].max(axis=1, keepdims=True))
    fake.judgement.heads["codes"] = tf.constant(sure)
    np.testing.assert_allclose(condition.generator_term(LatentRound(), fake)[0], -np.log(3), rtol=1e-9)


def test_codes_are_one_hot_and_every_class_is_as_probable():
    condition = InfoGANCondition(CONFIG)
    z = latents.truncated_normal(tf.constant([0, 1]), [3000, 9], 0.5, "resampling")
    coded = condition.codes_to_latents(z)
    np.testing.assert_array_equal(coded[:, 5:], z[:, 5:])
    np.testing.assert_array_equal(np.sum(coded[:, :3], axis=1), 1.0)
    np.testing.assert_allclose(np.mean(coded[:, :5], axis=0), [1 / 3] * 3 + [1 / 2] * 2, atol=0.03)
    np.testing.assert_array_equal(condition.codes_to_latents(coded), coded)
    np.testing.assert_array_equal(condition.codes_to_latents(0.1 * z)[:, :5], coded[:, :5])


@pytest.mark.parametrize("family", SAMPLING)
def test_every_generator_is_given_codes(family):
    condition = InfoGANConfig(categories=(3,), normal_codes=1)
    generator = smallest(family, condition=condition).model.generator()
    for strength in (variable for variable in generator.trainable_variables if variable.shape == ()):
        strength.assign(0.0)  # noise
    z = random(2, 8).astype(np.float32)
    other, third = z.copy(), z.copy()
    other[:, :3] *= 0.5  # the same classes
    third[:, :3] = np.roll(third[:, :3], 1, axis=1)
    images, same, others = (np.asarray(generator(generator.inputs_of(x, np.array([0, 1])))) for x in (z, other, third))
    np.testing.assert_allclose(same, images, atol=1e-6)
    assert np.abs(others - images).max() > 1e-4


@pytest.mark.parametrize("family", SAMPLING)
def test_a_folded_generator_is_given_the_same_codes(family):
    generator = smallest(family, condition=InfoGANConfig(categories=(3,), normal_codes=1)).model.generator()
    z = tf.constant(random(2, 8), tf.float32)
    embedding = generator.embed(tf.constant([0, 1]))
    folded = generator.config.fold(generator, moments_of(generator), "float32", "fast")
    keys = tf.constant([[1, 2], [3, 4]], tf.int64)
    images = generator((z, embedding), truncation=tf.ones([2]), keys=keys)
    np.testing.assert_allclose(folded(z, embedding, tf.ones([2]), keys), images, atol=1e-5)


def test_impossible_pairs_say_why():
    config = smallest("stylegan2", condition=InfoGANConfig())
    problems = config.problems()
    assert any("model.z_dim must be at least 12" in problem for problem in problems)
    assert any("game.style_mixing must be 0" in problem for problem in problems)
    config = smallest("toy", condition=InfoGANConfig(categories=(3,)), prior="bernoulli")
    (problem,) = config.problems()
    assert "model.prior must be normal" in problem
    assert "infogan needs a code" in next(iter(InfoGANConfig(categories=(), normal_codes=0).problems()))
    assert "numbers from 2 on" in next(iter(InfoGANConfig(categories=(1,)).problems()))
