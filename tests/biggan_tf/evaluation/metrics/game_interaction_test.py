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


def test_networks_that_do_not_act_on_one_another_have_none():
    phi, theta = tf.Variable(np.ones(2)), tf.Variable(np.ones(2))
    found = game_interaction.largest_interaction(
        lambda: tf.reduce_sum(phi)[None] + tf.reduce_sum(theta), [theta], [phi], np.random.default_rng(0)
    )
    assert found == 0.0
