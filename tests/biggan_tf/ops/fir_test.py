"""FIR resampling against NumPy, which inserts the zeros and multiplies them."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops import fir
from biggan_tf.ops.operation_counter import count_operations

RANDOM = np.random.default_rng(0)
LINE = RANDOM.standard_normal(5)
PLANE = RANDOM.standard_normal((3, 4))


def numpy_upfirdn(x, taps, up, down, padding, gain):
    """Zeros in, padding, convolution with the filter, every down-th pixel."""
    taps = gain * (np.outer(taps, taps) if taps.ndim == 1 else taps)
    batch, height, width, channels = x.shape
    large = np.zeros((batch, height * up[0], width * up[1], channels))
    large[:, :: up[0], :: up[1]] = x
    for axis, (before, after) in enumerate(padding, start=1):
        large = np.pad(large, [(max(before, 0), max(after, 0)) if i == axis else (0, 0) for i in range(4)])
        inside = slice(max(-before, 0), large.shape[axis] - max(-after, 0))
        large = large[:, inside] if axis == 1 else large[:, :, inside]
    rows, columns = (large.shape[i + 1] - taps.shape[i] + 1 for i in range(2))
    y = np.zeros((batch, rows, columns, channels))
    for i, j in np.ndindex(taps.shape):
        y += taps[taps.shape[0] - 1 - i, taps.shape[1] - 1 - j] * large[:, i : i + rows, j : j + columns]
    return y[:, :: down[0], :: down[1]]


@pytest.mark.parametrize("taps", [LINE, PLANE, np.ones((1, 1)), np.ones(2)], ids=["line", "plane", "one", "two"])
@pytest.mark.parametrize("up", [(1, 1), (2, 2), (3, 2), (4, 1)])
@pytest.mark.parametrize("down", [(1, 1), (2, 2), (2, 3), (1, 4)])
@pytest.mark.processor
def test_upfirdn_is_numpys(taps, up, down):
    x = np.random.default_rng(1).standard_normal((2, 5, 6, 3))
    for padding in (((2, 3), (3, 2)), ((4, -1), (-2, 5))):
        got = fir.upfirdn(tf.constant(x), taps, up, down, padding, gain=1.5)
        expected = numpy_upfirdn(x, taps, up, down, padding, 1.5)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-13)


def test_gradient_is_the_adjoint_map_of_every_resampling():
    # <A x, y> = <x, A^T y> for a linear map, whatever the factors; and A^T has A for its own gradient.
    for taps, up, down, padding in itertools.product(
        (LINE, PLANE), ((1, 1), (3, 2)), ((1, 1), (2, 3)), (((2, 3), (3, 2)), ((4, -1), (-2, 5)))
    ):
        x = tf.constant(RANDOM.standard_normal((1, 5, 6, 2)))
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = fir.upfirdn(x, taps, up, down, padding)
                probe = tf.constant(np.random.default_rng(2).standard_normal(y.shape))
                outer.watch(probe)
                total = tf.reduce_sum(y * probe)
            gradient = inner.gradient(total, x)
            other = tf.constant(np.random.default_rng(3).standard_normal(x.shape))
            second = tf.reduce_sum(gradient * other)
        assert float(total) == pytest.approx(float(tf.reduce_sum(x * gradient)), rel=1e-11)
        np.testing.assert_allclose(
            outer.gradient(second, probe), fir.upfirdn(other, taps, up, down, padding), atol=1e-12
        )


@pytest.mark.parametrize("taps", [fir.binomial(), np.ones(6) / 6, np.ones((2, 2)) / 4])
def test_enlarged_and_reduced_constants_stay_constant(taps):
    x = tf.ones((1, 12, 12, 2), tf.float64)
    for y, size in ((fir.upsample(x, taps), 24), (fir.downsample(x, taps), 6), (fir.smooth(x, taps), 12)):
        assert y.shape == (1, size, size, 2)
        middle = slice(size // 3, -(size // 3))
        np.testing.assert_allclose(y[:, middle, middle], 1.0, atol=1e-12)


def test_no_zero_is_multiplied():
    x = tf.ones((1, 8, 8, 3))
    with count_operations() as counter:
        fir.upfirdn(x, fir.binomial(), up=2, padding=((2, 1), (2, 1)))
    # 16 taps meet 4 pixels, and 12 zeros, for each of the 16 x 16 results.
    assert counter.multiply_adds["filter"] == 16 * 16 * 3 * 4
    with count_operations() as counter:
        fir.upfirdn(x, np.ones(12), down=2, padding=((5, 5), (5, 5)))
    # Along the rows, of which half are computed, and then along the columns.
    assert counter.multiply_adds["filter"] == 3 * (4 * 8 * 12 + 4 * 4 * 12)


def test_a_filter_that_does_not_fit_says_so():
    with pytest.raises(ValueError, match="fit into the padded image"):
        fir.upfirdn(tf.ones((1, 2, 2, 1)), np.ones(5))
