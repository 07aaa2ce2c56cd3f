"""The resampling of ADA against a NumPy reading that pads by the batch's need and puts zeros between pixels."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations.warp import SYM6, warp
from tests.two_replicas import two_replicas

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, 12, 12, 3))


def maps(*parts):
    return tf.constant(np.stack([np.vstack([part, [0, 0, 1]]) for part in parts]).astype(float))


def along(axis, function, images):
    return np.apply_along_axis(function, axis, images)


def upsampled(line):
    spread = np.zeros(2 * len(line))
    spread[::2] = line
    # SciPy-free: pad 6 before and 5 after, convolve with the taps times 2
    return np.convolve(np.pad(spread, (6, 5)), 2 * SYM6, "valid")


def reference(images, inverse):
    """One batch, as the authors' code does it, read from the paper's appendix."""
    size = images.shape[1]
    c = (size - 1) / 2
    corners = np.array([[-c, c, c, -c], [-c, -c, c, c], [1, 1, 1, 1]])
    moved = (inverse @ corners)[:, :2]
    reach = np.concatenate([(-moved).max(axis=(0, 2)), moved.max(axis=(0, 2))])
    left, above, right, below = np.ceil(np.clip(reach + 6 - c, 0, size - 1)).astype(int)
    padded = np.pad(images, [(0, 0), (above, below), (left, right), (0, 0)], "reflect")
    padded = along(2, upsampled, along(1, upsampled, padded))
    height, width = padded.shape[1:3]
    middle = np.array([width - 1, height - 1]) / 2 + np.array([left - right, above - below])
    out = np.zeros((len(images), 2 * size + 12, 2 * size + 12, 3))
    for n, i, j in np.ndindex(out.shape[:3]):
        place = np.array([j, i]) - (2 * size + 11) / 2
        x, y = 2 * (inverse[n] @ [*((place + 0.5) / 2), 1])[:2] - 0.5 + middle
        for row, column in ((int(np.floor(y)) + a, int(np.floor(x)) + b) for a in (0, 1) for b in (0, 1)):
            if 0 <= row < height and 0 <= column < width:
                out[n, i, j] += (1 - abs(y - row)) * (1 - abs(x - column)) * padded[n, row, column]
    reduce = lambda line: np.correlate(line[1:-1], SYM6, "valid")[::2]  # noqa: E731
    return along(2, reduce, along(1, reduce, out))


def test_no_map_leaves_the_image_as_it_is():
    same = maps(*[np.eye(2, 3)] * 3)
    np.testing.assert_allclose(warp(tf.constant(IMAGES), same), IMAGES, atol=1e-12)


def test_a_shift_by_whole_pixels_continues_the_image_by_reflection():
    shifted = warp(tf.constant(IMAGES), maps(*[[[1, 0, -2], [0, 1, 1]]] * 3))
    expected = np.pad(IMAGES, [(0, 0), (0, 1), (2, 0), (0, 0)], "reflect")[:, 1:, :12]
    np.testing.assert_allclose(shifted, expected, atol=1e-12)


def test_any_map_is_the_authors():
    # The second shows places far beyond the image, the third shrinks it: both meet the zeros behind the reflection.
    inverse = maps(
        [[0.8, -0.6, 1.3], [0.6, 0.8, -0.2]], [[1.1, 0.2, 9.7], [0, 0.9, -8.1]], [[2.9, 0, 0.1], [0.3, 3.3, 0]]
    )
    for rows in (slice(3), slice(1), slice(1, 2)):
        got = warp(tf.constant(IMAGES[rows]), inverse[rows])
        np.testing.assert_allclose(got, reference(IMAGES[rows], inverse[rows].numpy()), atol=1e-10)


def test_replicas_continue_the_images_alike():
    inverse = maps([[1, 0, 0], [0, 1, 0]], [[3, 0, 4], [0, 3, 0]])
    images, strategy = tf.constant(IMAGES[:2]), two_replicas()

    @tf.function(autograph=False)
    def both():
        def one():
            first = tf.distribute.get_replica_context().replica_id_in_sync_group
            return warp(images[first : first + 1], inverse[first : first + 1])

        return strategy.run(one)

    halves = np.concatenate([value.numpy() for value in strategy.experimental_local_results(both())])
    np.testing.assert_allclose(halves, warp(images, inverse), atol=1e-12)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_first_and_second_derivatives_are_those_of_a_linear_map(jit_compile):
    inverse = maps([[0.8, -0.6, 1.3], [0.6, 0.8, -0.2]])
    x, y = (tf.constant(np.random.default_rng(i).standard_normal((1, 8, 8, 3))) for i in (1, 2))

    @tf.function(jit_compile=jit_compile, autograph=False)
    def derivatives():
        with tf.GradientTape() as outer:
            outer.watch(y)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = tf.reduce_sum(warp(x, inverse) * y)
            gradient = inner.gradient(value, x)
            product = tf.reduce_sum(gradient * x)
        return value, product, outer.gradient(product, y), warp(x, inverse)

    value, product, second, warped = derivatives()
    assert float(product) == pytest.approx(float(value), rel=1e-10)  # <A x, y> = <x, A^T y>
    np.testing.assert_allclose(second, warped, atol=1e-10)
