"""Each arrangement of a convolution against the layer that it stands for, and row by row against batches."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.layers.convolution import SNConv2D
from serving.export.lean_convolutions import make_lean
from serving.export.matrix_products import LONGEST_SUM

# (size, channels in, filters, kernel, resampling): few and many channels, and more than one sum may hold.
CONVOLUTIONS = (
    (8, 16, 8, 3, "nearest"),
    (8, 16, 8, 3, "zero_insertion"),
    (8, 300, 20, 3, "zero_insertion"),
    (4, 600, 24, 3, "nearest"),
    (8, 256, 128, 3, "nearest"),
    (4, 600, 24, 3, None),
    (8, 256, 130, 3, None),
    (8, 16, 8, 1, None),
    (4, 1100, 16, 1, "nearest"),
)


def layer_of(channels, filters, kernel_size, resampling, **options):
    made = SNConv2D(filters, kernel_size, resampling=resampling, spectral_norm=False, **options)
    made.build((None, None, None, channels))
    rng = np.random.default_rng(1)
    made.kernel.assign(rng.normal(0, (kernel_size**2 * channels) ** -0.5, made.kernel.shape))
    made.bias.assign(rng.normal(0, 0.1, made.bias.shape))
    return made


@pytest.mark.processor
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_a_lean_convolution_is_the_layers_and_the_same_for_a_row_in_any_batch(case):
    size, channels, *rest = case
    layer = layer_of(channels, *rest)
    x = tf.random.stateless_normal([9, size, size, channels], [3, 4])
    expected = layer(x).numpy()
    weights = make_lean(layer)
    assert weights
    run = tf.function(layer.call, input_signature=[tf.TensorSpec([None, size, size, channels])], autograph=False)
    whole = run(x).numpy()
    np.testing.assert_allclose(whole, expected, atol=3e-5)
    for start, stop in ((0, 1), (8, 9), (2, 5), (0, 6), (2, 9)):
        np.testing.assert_array_equal(run(x[start:stop]).numpy(), whole[start:stop], err_msg=f"rows {start} to {stop}")


def test_a_small_plain_convolution_is_left_as_it_is():
    layer = layer_of(16, 8, 3, None)
    assert make_lean(layer) == []
    assert layer(tf.zeros([1, 4, 4, 16])).shape == (1, 4, 4, 8)


def test_the_published_rgb_kernel_keeps_only_the_filters_in_use():
    layer = layer_of(300, 8, 3, None, used_filters=3)
    x = tf.random.stateless_normal([2, 4, 4, 300], [3, 4])
    expected = layer(x)
    make_lean(layer)
    np.testing.assert_allclose(layer(x), expected, atol=3e-5)


def test_no_sum_is_longer_than_kernels_add_in_one_order():
    weights = make_lean(layer_of(1100, 16, 1, None))
    assert [int(weight.shape[0]) for weight in weights] == [LONGEST_SUM, LONGEST_SUM, 1100 - 2 * LONGEST_SUM]
