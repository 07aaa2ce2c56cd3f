import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops import resampling

pytestmark = pytest.mark.processor

# Float32: rounding of sums of a few hundred terms. bfloat16 keeps 8 bits: 2^-8 for each of a handful of roundings.
TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2}


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
@pytest.mark.parametrize("how", resampling.UPSAMPLINGS)
def test_convolve_upsampled_is_numpys(how, kernel_size, fused):
    x, kernel = _inputs(4, kernel_size)
    doubled = x.repeat(2, 1).repeat(2, 2)
    if how == "zero_insertion":
        doubled[:, 1::2] = doubled[:, :, 1::2] = 0
    got = resampling.convolve_upsampled(tf.constant(x, tf.float32), tf.constant(kernel, tf.float32), how, fused)
    assert _relative(got, _numpy_convolution(doubled, kernel)) < 1e-6


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_convolve_pooled_is_numpys(kernel_size, fused):
    x, kernel = _inputs(8, kernel_size)
    y = _numpy_convolution(x, kernel)
    pooled = (y[:, ::2, ::2] + y[:, 1::2, ::2] + y[:, ::2, 1::2] + y[:, 1::2, 1::2]) / 4
    got = resampling.convolve_pooled(tf.constant(x, tf.float32), tf.constant(kernel, tf.float32), fused)
    assert _relative(got, pooled) < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("how", ["nearest", "zero_insertion", "pool"])
def test_fused_equals_plain_in_values_and_gradients(how, kernel_size, dtype):
    x, kernel = (tf.cast(array, dtype) for array in _inputs(8, kernel_size, (16, 24)))

    def run(fused):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            if how == "pool":
                y = resampling.convolve_pooled(x, kernel, fused)
            else:
                y = resampling.convolve_upsampled(x, kernel, how, fused)
            weights = tf.cast(np.cos(np.arange(np.prod(y.shape))).reshape(y.shape), dtype)
            loss = tf.reduce_sum(tf.cast(y * weights, "float32"))
        return [y, *tape.gradient(loss, [x, kernel])]

    for fused, plain in zip(run(True), run(False), strict=True):
        assert _relative(tf.cast(fused, "float32"), tf.cast(plain, "float32")) < TOLERANCE[dtype]


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
    x, kernel = (tf.constant(array, tf.float32) for array in _inputs(4, 3))

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
        assert _relative(fused, plain) < 1e-5
