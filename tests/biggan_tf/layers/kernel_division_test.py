"""The division of a kernel by its largest singular value against NumPy, in float64."""

import numpy as np
import tensorflow as tf

from biggan_tf.layers.kernel_division import KernelDivision

KERNEL = np.random.default_rng(0).standard_normal((3, 3, 2, 5))
WEIGHTS = np.random.default_rng(1).standard_normal(KERNEL.shape)


def converged(dtype="float64"):
    division = KernelDivision(dtype=dtype)
    for _ in range(200):
        division(KERNEL, training=True)
    return division


def test_the_largest_singular_value_becomes_1():
    division = converged()
    expected = KERNEL / np.linalg.svd(KERNEL.reshape(-1, 5), compute_uv=False)[0]
    np.testing.assert_allclose(division(KERNEL), expected, rtol=1e-10)
    np.testing.assert_allclose(division(7.0 * KERNEL), expected, rtol=1e-10)


def test_gradient_flows_through_the_singular_value():
    division, kernel = converged(), tf.constant(KERNEL)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        loss = tf.reduce_sum(WEIGHTS * division(kernel))
    left, values, right = np.linalg.svd(KERNEL.reshape(-1, 5), full_matrices=False)
    sigma, outer = values[0], np.outer(left[:, 0], right[0]).reshape(KERNEL.shape)
    # d sum(G * W / sigma) / dW = G / sigma - sum(G * W) / sigma^2 * u v^T
    expected = WEIGHTS / sigma - (WEIGHTS * KERNEL).sum() / sigma**2 * outer
    np.testing.assert_allclose(tape.gradient(loss, kernel), expected, rtol=0, atol=1e-9)


def test_u_moves_in_training_alone():
    division = KernelDivision(dtype="float64")
    division(KERNEL)
    before = division.u.numpy()
    division(KERNEL, training=False)
    np.testing.assert_array_equal(division.u, before)
    division(KERNEL, training=True)
    assert not np.allclose(division.u, before)
    np.testing.assert_allclose(np.linalg.norm(division.u), 1.0)
