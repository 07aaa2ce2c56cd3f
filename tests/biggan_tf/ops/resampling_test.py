import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops import resampling
from tests.biggan_tf.kernel_library import bfloat16

__all__ = ["bfloat16"]

pytestmark = pytest.mark.processor


@pytest.fixture(autouse=True)
def _always_fuse(monkeypatch):
    monkeypatch.setattr(resampling, "FEWEST_POSITIONS", 0)


def _relative(got, expected):
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


def _numpy_convolution(x, kernel):
    pad = kernel.shape[0] // 2
    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    height, width = x.shape[1:3]
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(kernel.shape[0])
        for j in range(kernel.shape[1])
    )


def _inputs(size, kernel_size, channels=(3, 5)):
    random = np.random.default_rng(size * 10 + kernel_size)
    return random.standard_normal((2, size, size, channels[0])), random.standard_normal((kernel_size,) * 2 + channels)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("how", ["nearest", "zero_insertion"])
def test_convolve_upsampled_is_numpys(how, kernel_size, fused):
    x, kernel = _inputs(4, kernel_size)
    doubled = x.repeat(2, 1).repeat(2, 2)
    if how == "zero_insertion":
        doubled[:, 1::2] = doubled[:, :, 1::2] = 0
    got = resampling.convolve_upsampled(tf.constant(x), tf.constant(kernel), how, fused)
    assert _relative(got, _numpy_convolution(doubled, kernel)) < 1e-14


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_convolve_pooled_is_numpys(kernel_size, fused):
    x, kernel = _inputs(8, kernel_size)
    y = _numpy_convolution(x, kernel)
    pooled = (y[:, ::2, ::2] + y[:, 1::2, ::2] + y[:, ::2, 1::2] + y[:, 1::2, 1::2]) / 4
    got = resampling.convolve_pooled(tf.constant(x), tf.constant(kernel), fused)
    assert _relative(got, pooled) < 1e-14


def _filtered(images):
    """Both axes filtered with (1, 3, 3, 1) / 8; an image grows by 3 pixels."""
    for axis in (1, 2):
        line = np.moveaxis(np.pad(images, [(3, 3) if i == axis else (0, 0) for i in range(4)]), axis, 0)
        size = line.shape[0] - 3
        images = np.moveaxis(sum(tap / 8 * line[i : i + size] for i, tap in enumerate((1, 3, 3, 1))), 0, axis)
    return images


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_filtered_doubling_is_numpys_away_from_the_edges(kernel_size):
    x, kernel = _inputs(8, kernel_size)
    spread = np.zeros((2, 16, 16, 3))
    spread[:, ::2, ::2] = x
    doubled = 4 * _filtered(spread)[:, 1:-2, 1:-2]
    np.testing.assert_allclose(resampling.upsample(tf.constant(x), "filtered"), doubled, atol=1e-13)
    got = resampling.convolve_upsampled(tf.constant(x), tf.constant(kernel), "filtered")
    assert got.shape == (2, 16, 16, 5)
    inner = slice(3, -3)
    expected = _numpy_convolution(doubled, kernel)[:, inner, inner]
    assert _relative(np.asarray(got)[:, inner, inner], expected) < 1e-14


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_filtered_halving_is_numpys_away_from_the_edges(kernel_size):
    x, kernel = _inputs(16, kernel_size)
    halved = _filtered(_numpy_convolution(x, kernel))[:, 2:-1:2, 2:-1:2]
    got = resampling.convolve_pooled(tf.constant(x), tf.constant(kernel), pooling="filtered")
    assert got.shape == (2, 8, 8, 5)
    assert _relative(np.asarray(got)[:, 2:-2, 2:-2], halved[:, 2:-2, 2:-2]) < 1e-14
    np.testing.assert_allclose(resampling.pool(tf.constant(x), "filtered"), _filtered(x)[:, 2:-1:2, 2:-1:2], atol=1e-13)


def test_filtered_halving_lets_less_of_high_frequencies_through():
    # The highest frequency but one: its mean over 2x2 pixels is a low frequency that the image does not have.
    wave = np.cos(2 * np.pi * 7 / 16 * np.arange(16))
    image = tf.constant(np.tile(wave[:, None], (1, 16))[None, :, :, None])
    left = {how: np.std(np.asarray(resampling.pool(image, how))[:, 2:-2, 2:-2]) for how in resampling.POOLINGS}
    assert left["filtered"] < 0.1 * left["mean"]


def test_a_pooling_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"pooling must be one of mean, filtered\. Received: pooling='max'"):
        resampling.pool(tf.zeros((1, 2, 2, 1)), "max")


def _values_and_gradients(how, kernel_size, dtype, fused):
    """The convolution's result and both its gradients, of inputs that a dtype may have to round."""
    x, kernel = (tf.cast(array, dtype) for array in _inputs(8, kernel_size, (16, 24)))
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        if how == "pool":
            y = resampling.convolve_pooled(x, kernel, fused)
        else:
            y = resampling.convolve_upsampled(x, kernel, how, fused)
    upstream = tf.cast(np.random.default_rng(1).standard_normal(y.shape), dtype)
    gradients = tape.gradient(y, [x, kernel], output_gradients=upstream)
    return [np.asarray(tf.cast(value, "float64")) for value in (y, *gradients)]


every_way = pytest.mark.parametrize("how", ["nearest", "zero_insertion", "pool"])


@pytest.mark.parametrize("kernel_size", [1, 3])
@every_way
def test_fused_equals_plain_in_values_and_gradients(how, kernel_size):
    results = (_values_and_gradients(how, kernel_size, "float64", fused) for fused in (True, False))
    for fused, plain in zip(*results, strict=True):
        assert _relative(fused, plain) < 1e-14


@pytest.mark.usefixtures(bfloat16.__name__)
@pytest.mark.parametrize("kernel_size", [1, 3])
@every_way
def test_fusing_loses_no_precision_in_bfloat16(how, kernel_size):
    """Over the value and both gradients, fused comes about as near to float64 as plain does.

    How near that is, the kernel library decides: some add up in float32, some in bfloat16, and not the same ones
    forward and backward. Fused rounds the small image once more than plain.
    """
    exact = _values_and_gradients(how, kernel_size, "float64", False)
    fused, plain = (
        np.sqrt(
            sum(
                _relative(got, expected) ** 2
                for got, expected in zip(_values_and_gradients(how, kernel_size, "bfloat16", way), exact, strict=True)
            )
        )
        for way in (True, False)
    )
    assert fused <= 1.2 * plain


def test_doubling_fuses_where_the_call_is_large_enough(monkeypatch):
    monkeypatch.setattr(resampling, "FEWEST_POSITIONS", 2 * 4 * 4 + 1)
    monkeypatch.setattr(resampling, "_turn", lambda *_args: pytest.fail("fused"))
    x, kernel = _inputs(4, 3)
    resampling.convolve_upsampled(tf.constant(x, tf.float32), tf.constant(kernel, tf.float32))
    monkeypatch.setattr(resampling, "FEWEST_POSITIONS", 2 * 4 * 4)
    with pytest.raises(pytest.fail.Exception, match="fused"):
        resampling.convolve_upsampled(tf.constant(x, tf.float32), tf.constant(kernel, tf.float32))


@pytest.mark.parametrize("how", ["nearest", "pool"])
def test_second_derivatives_are_those_of_the_plain_form(how):
    x, kernel = map(tf.constant, _inputs(4, 3))

    def run(fused):
        with tf.GradientTape() as outer:
            outer.watch([x, kernel])
            with tf.GradientTape() as inner:
                inner.watch(x)
                if how == "pool":
                    y = resampling.convolve_pooled(x, kernel, fused)
                else:
                    y = resampling.convolve_upsampled(x, kernel, how, fused)
                loss = tf.reduce_sum(y**3)
            penalty = tf.reduce_sum(inner.gradient(loss, x) ** 2)
        return outer.gradient(penalty, [x, kernel])

    for fused, plain in zip(run(True), run(False), strict=True):
        assert _relative(fused, plain) < 1e-13
