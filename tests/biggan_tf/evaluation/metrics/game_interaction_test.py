import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.evaluation.metrics import game_interaction


def test_the_interaction_of_a_bilinear_game_is_the_largest_singular_value():
    matrix = np.random.default_rng(0).standard_normal((4, 6))
    phi = tf.Variable(np.random.default_rng(1).standard_normal(4))
    theta, unused = tf.Variable(np.random.default_rng(2).standard_normal(6)), tf.Variable(np.ones(3))

    def logits():
        return tf.linalg.matvec(tf.constant(matrix), theta)[None] @ phi[:, None]

    found = game_interaction.largest_interaction(
        logits, [theta, unused], [phi], np.random.default_rng(3), num_iterations=60
    )
    assert found == pytest.approx(np.linalg.svd(matrix, compute_uv=False)[0], rel=1e-6)


def test_tables_count_a_row_as_often_as_it_was_looked_up():
    matrix = np.random.default_rng(0).standard_normal((4, 6))
    theta = tf.Variable(np.random.default_rng(1).standard_normal((2, 4)))
    phi = tf.Variable(np.random.default_rng(2).standard_normal((2, 6)))
    labels = tf.constant([0, 1, 1])

    def logits():
        return tf.reduce_sum(tf.gather(theta, labels) @ tf.constant(matrix) * tf.gather(phi, labels), axis=1)

    found = game_interaction.largest_interaction(logits, [theta], [phi], np.random.default_rng(3), num_iterations=60)
    assert found == pytest.approx(2 / 3 * np.linalg.svd(matrix, compute_uv=False)[0], rel=1e-6)


def test_networks_that_do_not_act_on_one_another_have_none():
    phi, theta = tf.Variable(np.ones(2)), tf.Variable(np.ones(2))
    found = game_interaction.largest_interaction(
        lambda: tf.reduce_sum(phi)[None] + tf.reduce_sum(theta), [theta], [phi], np.random.default_rng(0)
    )
    assert found == 0.0


@pytest.mark.parametrize(("rate", "damping", "singular"), [(0.1, 1.0, 2.0), (0.02, 0.0, 5.0), (0.3, 2.0, 0.5)])
def test_r_is_the_squared_modulus_of_the_eigenvalues_of_a_step(rate, damping, singular):
    step = np.array([[1 - rate * damping, rate * singular], [-rate * singular, 1 - rate * damping]])
    expected = np.abs(np.linalg.eigvals(step)).max() ** 2
    found = game_interaction.growth_factor(np.array([rate]), damping, singular)
    assert found == pytest.approx(expected, rel=1e-12)
