import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.training.adam import Adam


def reference(weights, gradients, rate, beta_1, beta_2, epsilon):
    """Algorithm 1 of arXiv:1412.6980, as it is printed."""
    m, v = np.zeros_like(weights), np.zeros_like(weights)
    for t, gradient in enumerate(gradients, 1):
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient**2
        weights = weights - rate * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return weights


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize("beta_1", [0.0, 0.5])
@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])
def test_steps_are_those_of_the_paper(beta_1, epsilon, dtype, tolerance):
    random = np.random.default_rng(0)
    start, gradients = random.standard_normal((3, 4)), random.standard_normal((5, 3, 4))
    variable = keras.Variable(start, dtype=dtype)
    optimizer = Adam(beta_1=beta_1, beta_2=0.99, epsilon=epsilon)
    optimizer.build([variable])

    @tf.function(autograph=False)
    def step(gradient):
        optimizer.apply_averaged([gradient], [variable], 0.01, tf.constant(True))

    for gradient in gradients:
        step(tf.constant(gradient, dtype))
    expected = reference(start, gradients, 0.01, beta_1, 0.99, epsilon)
    # Of the weights' size: float32 cannot be right to a share of a weight that the steps brought near to zero.
    np.testing.assert_allclose(variable.numpy(), expected, atol=tolerance, rtol=0)
    assert int(optimizer.iterations) == 5


def test_a_decay_that_moves_corrects_the_bias_with_its_own_power():
    random = np.random.default_rng(2)
    start, gradients, decays = random.standard_normal(3), random.standard_normal((4, 3)), (0.9, 0.93, 0.97, 0.99)
    variable = keras.Variable(start, dtype="float64")
    optimizer = Adam(beta_2=0.5)
    optimizer.build([variable])
    weights, v = start, np.zeros(3)
    for t, (gradient, decay) in enumerate(zip(gradients, decays, strict=True), 1):
        beta_2 = tf.constant(decay, tf.float64)
        optimizer.apply_averaged([tf.constant(gradient)], [variable], 0.01, tf.constant(True), None, beta_2)
        v = decay * v + (1 - decay) * gradient**2
        weights = weights - 0.01 * gradient / (np.sqrt(v / (1 - decay**t)) + 1e-8)
    np.testing.assert_allclose(variable.numpy(), weights, rtol=1e-12)


def test_keras_apply_takes_the_same_steps():
    variables = [keras.Variable(np.ones(3, "float32")) for _ in range(2)]
    optimizers = [Adam(learning_rate=0.01), Adam(learning_rate=0.01)]
    for optimizer, variable in zip(optimizers, variables, strict=True):
        optimizer.build([variable])
    for gradient in np.random.default_rng(1).standard_normal((3, 3)).astype("float32"):
        optimizers[0].apply([tf.constant(gradient)], [variables[0]])
        optimizers[1].apply_averaged([tf.constant(gradient)], [variables[1]], 0.01, tf.constant(True))
    np.testing.assert_allclose(variables[0].numpy(), variables[1].numpy(), rtol=1e-6)


def test_a_step_that_is_not_valid_changes_nothing_even_with_a_gradient_that_is_not_finite():
    variable = keras.Variable(np.ones(3, "float32"))
    optimizer = Adam(beta_1=0.5)
    optimizer.build([variable])
    before = [v.numpy().copy() for v in optimizer.variables]
    optimizer.apply_averaged([tf.constant([np.nan, np.inf, 1.0])], [variable], 0.01, tf.constant(False))
    np.testing.assert_array_equal(variable.numpy(), np.ones(3))
    for now, then in zip(optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(now.numpy(), then)


def test_no_first_moment_is_stored_without_momentum():
    variable = keras.Variable(np.ones(3, "float32"))
    with_momentum, without = Adam(beta_1=0.5), Adam(beta_1=0.0)
    with_momentum.build([variable])
    without.build([variable])
    assert len(with_momentum.variables) == len(without.variables) + 1


def test_config_makes_the_same_optimizer_again():
    optimizer = Adam(learning_rate=3e-4, beta_1=0.1, beta_2=0.9, epsilon=1e-6)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, Adam)
    assert again.get_config() == optimizer.get_config()
