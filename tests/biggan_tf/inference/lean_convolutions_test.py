"""Each arrangement of a convolution against the layer that it stands for."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts import inference as s
from biggan_tf.inference.lean_convolutions import make_lean
from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.convolution import SNConv2D

# (size, channels in, filters, kernel, resampling, variables): every arrangement, with few and many channels.
CONVOLUTIONS = (
    (8, 16, 8, 3, "nearest", 4),  # nine products
    (4, 300, 24, 3, "nearest", 4),
    (32, 8, 8, 3, "nearest", 1),  # a transposed convolution
    (8, 16, 8, 3, "zero_insertion", 1),
    (4, 300, 24, 3, None, 3),  # shifted products
    (8, 16, 8, 3, None, 3),
    (8, 130, 20, 3, None, 16),  # Winograd's
    (16, 64, 20, 3, None, 16),
    (8, 16, 8, 1, None, 1),
    (4, 300, 16, 1, "nearest", 1),
)


def layer_of(size, channels, filters, kernel_size, resampling, **options):
    unscaled = SpectralNormOptions(enabled=False)
    made = SNConv2D(filters, kernel_size, resampling=resampling, spectral_norm=unscaled, **options)
    made.build((None, size, size, channels))
    rng = np.random.default_rng(1)
    made.kernel.assign(rng.normal(0, (kernel_size**2 * channels) ** -0.5, made.kernel.shape))
    made.bias.assign(rng.normal(0, 0.1, made.bias.shape))
    return made


@pytest.mark.processor
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_a_lean_convolution_is_the_layers_for_one_row_and_for_several(case):
    *rest, count = case
    layer = layer_of(*rest)
    x = tf.random.stateless_normal([3, rest[0], rest[0], rest[1]], [3, 4])
    expected = layer(x).numpy()
    assert len(make_lean(layer)) == count
    np.testing.assert_allclose(layer(x), expected, atol=3e-5)
    np.testing.assert_allclose(layer(x[1:2]), expected[1:2], atol=3e-5)


@pytest.mark.parametrize(
    ("case", "count"),
    [
        ((8, 16, 8, 3, "nearest"), 1),
        ((8, 256, 8, 3, "nearest"), 4),
        ((8, 64, 8, 3, None), 0),
        ((8, 256, 8, 3, None), 16),
    ],
    ids=str,
)
def test_batches_are_arranged_for_batches(case, count):
    layer = layer_of(*case)
    x = tf.random.stateless_normal([3, 8, 8, case[1]], [3, 4])
    expected = layer(x).numpy()
    assert len(make_lean(layer, s.FAST)) == count
    np.testing.assert_allclose(layer(x), expected, atol=3e-5)


def test_a_large_convolution_of_few_channels_is_left_as_it_is():
    layer = layer_of(32, 16, 8, 3, None)
    assert make_lean(layer) == []
    assert layer(tf.zeros([1, 32, 32, 16])).shape == (1, 32, 32, 8)


def test_the_published_rgb_kernel_keeps_only_the_filters_in_use():
    layer = layer_of(8, 300, 8, 3, None, used_filters=3)
    x = tf.random.stateless_normal([2, 8, 8, 300], [3, 4])
    expected = layer(x)
    make_lean(layer)
    np.testing.assert_allclose(layer(x), expected, atol=3e-5)
