import types

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.architecture_search import proxies
from biggan_tf.config.search import DEFAULT_PROXIES, PROXIES
from tests.biggan_tf.training import tiny


@pytest.fixture(scope="module")
def real():
    images, labels = tiny.batch(6)
    return tf.constant(images), tf.constant(labels)


@pytest.mark.slow
def test_all_proxies_are_finite_and_do_not_depend_on_which_others_are_measured(real):
    together = proxies.measure(tiny.config(), PROXIES, *real, seed=0)
    assert list(together) == list(PROXIES) == list(proxies.PROXIES)
    assert all(np.isfinite(list(together.values())))
    for name in ("discriminator_slope", "feature_rank"):
        assert proxies.measure(tiny.config(), [name], *real, seed=0)[name] == pytest.approx(together[name], rel=1e-4)
    other = proxies.measure(tiny.config(), ["latent_diversity"], *real, seed=1)
    assert other["latent_diversity"] != together["latent_diversity"]


def test_the_recipe_stays_as_it_is(real):
    recipe = tiny.config()
    recipe.model.policy = "mixed_float16"
    proxies.measure(recipe, ["latent_diversity"], *real, seed=7)
    assert recipe.model.policy == "mixed_float16"
    assert recipe.training.seed != 7


def test_diversity_is_the_root_of_the_mean_squared_distance_of_all_pairs():
    images = np.random.default_rng(0).standard_normal((5, 2, 2, 3))
    networks = types.SimpleNamespace(rows=5, fakes=lambda one_class: images)
    pairs = [np.mean((images[i] - images[j]) ** 2) for i in range(5) for j in range(5) if i != j]
    assert proxies.PROXIES["latent_diversity"].measure(networks) == pytest.approx(np.sqrt(np.mean(pairs)))


@pytest.mark.parametrize(("directions", "expected"), [(1, 1 / 7), (7, 1.0)])
def test_the_feature_rank_counts_equal_directions(directions, expected):
    # Eight rows at the corners of a simplex vary alike in seven directions; on a line they vary in one.
    corners = np.eye(8) if directions == 7 else np.outer(np.arange(8.0), np.ones(8))
    halves = iter([corners[:4], corners[4:]])
    judgements = types.SimpleNamespace(
        rows=4,
        images=None,
        labels=None,
        fakes=lambda: None,
        judge=lambda images, labels: types.SimpleNamespace(features=next(halves)),
    )
    assert proxies.PROXIES["feature_rank"].measure(judgements) == pytest.approx(expected)


def test_the_slope_is_the_spread_of_gradient_norms():
    factors = np.array([1.0, 10.0, 100.0, 1000.0], np.float32)
    images = tf.ones([2, 2, 2, 3])

    def judge(images, labels):
        return types.SimpleNamespace(logits=tf.reduce_sum(images, axis=(1, 2, 3)) * factors)

    networks = types.SimpleNamespace(
        images=images, labels=tf.zeros([2], tf.int32), fakes=lambda: tf.ones([2, 2, 2, 3]), judge=judge
    )
    expected = np.std([0.0, 1.0, 2.0, 3.0])
    assert proxies.PROXIES["discriminator_slope"].measure(networks) == pytest.approx(expected, rel=1e-5)


def test_r_follows_from_the_interaction_and_from_the_learning_rates(monkeypatch):
    monkeypatch.setattr(proxies, "_interaction", lambda networks: 30.0)
    recipe = tiny.config()
    recipe.training.generator.learning_rate, recipe.training.discriminator.learning_rate = 0.01, 0.04
    networks = types.SimpleNamespace(gan=types.SimpleNamespace(config=recipe))
    # eta^2 = 0.01 * 0.04, damping 1
    assert proxies.PROXIES["linearised_r"].measure(networks) == pytest.approx((1 - 0.02) ** 2 + (0.02 * 30.0) ** 2)


def test_by_default_nothing_counts_twice():
    assert {*DEFAULT_PROXIES, "interaction"} == set(PROXIES)
    assert "linearised_r" in DEFAULT_PROXIES
