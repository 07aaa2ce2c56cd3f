"""The bound of each level's information against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.conditions.config import LevelInformationConfig
from biggan_tf.conditions.level_information import LevelInformationCondition
from biggan_tf.contracts.game import Round
from biggan_tf.families.biggan.config import BigGANConfig
from tests.biggan_tf.conditions.judged import WIDTH, assert_slope, head_of, judged, labels, random
from tests.families.registry import smallest

CONFIG = LevelInformationConfig((2, 3), (0.5, 2.0))
Z = random(6, 5, seed=3)


class LatentRound(Round):
    """A round of given latents."""

    def latents(self):
        return tf.constant(Z)


def numpys(answers):
    """H(c_l) + E[log N(c_l; m, v)], level by level."""
    mean, variance = answers[:, :5], np.exp(answers[:, 5:])
    density = np.exp(-np.square(Z - mean) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    of_values = np.log(2 * np.pi * np.e) / 2 + np.log(density).mean(axis=0)
    return [of_values[:2].sum(), of_values[2:].sum()]


def test_both_terms_are_numpys():
    condition = LevelInformationCondition(CONFIG)
    head = head_of(condition)
    features = random(6, WIDTH)
    fake = judged(head, features, labels(6))
    first, second = numpys(features @ np.asarray(head.layers["codes"].kernel) + np.asarray(head.layers["codes"].bias))
    for (term, scalars), network in (
        (condition.discriminator_term(LatentRound(), fake, fake), "d"),
        (condition.generator_term(LatentRound(), fake), "g"),
    ):
        found = [term, scalars[f"{network}_information_0"], scalars[f"{network}_information_1"]]
        # 1e-6 in the guards of logarithm and division
        np.testing.assert_allclose(found, [-0.5 * first - 2.0 * second, first, second], rtol=1e-5)
    assert_slope(lambda x: condition.generator_term(LatentRound(), judged(head, x, labels(6)))[0], features)


def test_who_knows_nothing_has_no_information():
    condition = LevelInformationCondition(LevelInformationConfig((5,), (1.0,)))
    head = head_of(condition)
    fake = judged(head, random(6, WIDTH), labels(6))
    fake.judgement.heads["codes"] = tf.zeros([6, 10], tf.float64)  # N(0, 1), whatever the image
    _, scalars = condition.generator_term(LatentRound(), fake)
    assert float(scalars["g_information_0"]) == pytest.approx(0.5 * (5 - np.square(Z).sum(axis=1).mean()), rel=1e-5)


def test_the_levels_are_those_of_the_generator():
    model = BigGANConfig(resolution=32, num_classes=3, z_dim=8, generator_channels=4, discriminator_channels=4)
    assert model.latent_levels() == (2, 2, 2, 2)
    assert model.generator().linear.kernel.shape[0] == 2
    model.hierarchical = False
    assert model.latent_levels() == (8,)
    config = smallest("biggan", condition=LevelInformationConfig((3,), (1.0,)))
    (problem,) = config.problems()
    assert f"model.condition.sizes must be {config.model.latent_levels()}" in problem
    (problem,) = LevelInformationConfig((4, 4), (1.0,)).problems()
    assert "a number from 0 on for each" in problem
    assert problem.endswith("give 2 such numbers.")
