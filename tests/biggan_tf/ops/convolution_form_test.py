"""Convolutions with gradients of our own, of both orders, against TensorFlow's, in float64."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.ops import convolution_form, same_convolution, strided_convolution
from biggan_tf.ops.same_convolution import convolve_same
from biggan_tf.ops.strided_convolution import convolve_doubling, convolve_halving

RANDOM = np.random.default_rng(0)
KERNEL = tf.constant(RANDOM.standard_normal((3, 3, 2, 4)))


@pytest.fixture(autouse=True)
def products_for_few_channels(monkeypatch):
    for module in (same_convolution, strided_convolution):
        smallest = dict.fromkeys(module._FORM.smallest, 1)
        monkeypatch.setattr(module, "_FORM", dataclasses.replace(module._FORM, smallest=smallest))


def _own_same(x, kernel):
    return tf.nn.conv2d(x, kernel, 1, "SAME")


def _own_halving(x, kernel):
    return tf.nn.conv2d(x, kernel, 2, "VALID")


def _own_doubling(x, kernel):
    batch, height, width, _ = x.shape
    shape = (batch, 2 * height + 1, 2 * width + 1, kernel.shape[3])
    return tf.nn.conv2d_transpose(x, tf.transpose(kernel, (0, 1, 3, 2)), shape, 2, "VALID")


def _values(convolve, x, upstream):
    """The result, both gradients of a product with it, and those of the squares of these gradients."""
    with tf.GradientTape() as outer:
        outer.watch([x, KERNEL, upstream])
        with tf.GradientTape() as inner:
            inner.watch([x, KERNEL])
            y = convolve(x, KERNEL)
            total = tf.reduce_sum(y * upstream)
        first = inner.gradient(total, [x, KERNEL])
        squares = sum(tf.reduce_sum(tf.square(gradient)) for gradient in first)
    return [y, *first, *outer.gradient(squares, [x, KERNEL, upstream])]


@pytest.mark.parametrize("size", [(5, 7), (6, 9), (3, 4)])
@pytest.mark.parametrize(
    ("ours", "own"),
    [(convolve_same, _own_same), (convolve_halving, _own_halving), (convolve_doubling, _own_doubling)],
    ids=["same", "halving", "doubling"],
)
def test_values_and_gradients_of_both_orders_are_tensorflows(ours, own, size):
    x = tf.constant(RANDOM.standard_normal((3, *size, 2)))
    upstream = tf.constant(RANDOM.standard_normal(own(x, KERNEL).shape))
    for compiled in (False, True):
        function = tf.function(_values) if compiled else _values
        for got, expected in zip(function(ours, x, upstream), _values(own, x, upstream), strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize(("module", "sizes"), [(same_convolution, (128, 128)), (strided_convolution, (129, 64))])
def test_the_kernels_gradient_in_float32_is_nearer_to_float64_than_tensorflows_own(module, sizes):
    x, y = (RANDOM.standard_normal((1, size, size, 4)).astype(np.float32) for size in sizes)
    form = module._FORM

    def own(dtype):
        return tf.raw_ops.Conv2DBackpropFilter(
            input=tf.cast(x, dtype),
            filter_sizes=[3, 3, 4, 4],
            out_backprop=tf.cast(y, dtype),
            strides=[1, form.stride, form.stride, 1],
            padding=form.padding,
        )

    exact = own(tf.float64)
    ours, theirs = (
        np.abs(tf.cast(each, tf.float64) - exact).max()
        for each in (form.products(tf.constant(x), tf.constant(y)), own(tf.float32))
    )
    assert ours < max(2 * theirs, 1e-6 * np.abs(exact).max())


@pytest.mark.parametrize(("convolve", "size"), [(convolve_same, 5), (convolve_halving, 2), (convolve_doubling, 11)])
def test_an_unknown_batch_size_and_half_precision_go_through(convolve, size):
    function = tf.function(
        lambda x: convolve(x, tf.cast(KERNEL, x.dtype)),
        input_signature=[tf.TensorSpec([None, 5, 5, 2], tf.float32)],
    )
    assert function(tf.ones([2, 5, 5, 2])).shape == (2, size, size, 4)
    for dtype in (tf.bfloat16, tf.float16):
        assert convolve(tf.ones([2, 5, 5, 2], dtype), tf.cast(KERNEL, dtype)).dtype == dtype


@pytest.mark.parametrize("resampling", [None, "nearest", "zero_insertion", "filtered", "pool", "filtered_pool"])
def test_a_layer_has_the_same_gradients_with_them_and_without(resampling, monkeypatch):
    x = tf.constant(RANDOM.standard_normal((8, 4, 4, 2)))

    def gradients():
        keras.utils.set_random_seed(0)
        layer = SNConv2D(4, 3, resampling=resampling, dtype="float64")
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(layer(x)))
        return tape.gradient(loss, [x, *[v.value for v in layer.trainable_variables]])

    ours = gradients()
    calls = []
    form = convolution_form.ConvolutionForm
    monkeypatch.setattr(form, "pays", lambda *_args: calls.append(1))  # and so None: the backend's own
    for got, expected in zip(ours, gradients(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
    assert calls


def test_only_3x3_kernels_of_enough_channels_in_a_listed_dtype_pay(monkeypatch):
    form = dataclasses.replace(same_convolution._FORM, smallest={"float32": 32})
    x = tf.ones([1, 4, 4, 4])
    assert form.pays(x, tf.ones([3, 3, 4, 8]))
    assert not form.pays(x, tf.ones([3, 3, 4, 7]))
    assert not form.pays(x, tf.ones([1, 1, 4, 8]))
    assert not form.pays(tf.cast(x, tf.float16), tf.ones([3, 3, 4, 8]))
    assert not form.pays(keras.Input((None, None, 4)), tf.ones([3, 3, 4, 8]))
    monkeypatch.setattr(convolution_form, "_has_accelerator", lambda: True)
    assert not form.pays(x, tf.ones([3, 3, 4, 8]))
