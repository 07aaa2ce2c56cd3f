import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.layers.equalised import EqualisedConv2D, EqualisedDense
from biggan_tf.ops import fir

RANDOM = np.random.default_rng(0)


def activated(x):
    # TensorFlow holds the slope in float32, so equality is to 1e-7.
    return np.sqrt(2) * np.where(x > 0, x, 0.2 * x)


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_dense_scales_its_weights_at_every_call(multiplier):
    layer = EqualisedDense(300, "leaky_relu", bias_init=2.0, rate_multiplier=multiplier, dtype="float64")
    x = RANDOM.standard_normal((5, 400))
    y = layer(x)
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    assert kernel.std() == pytest.approx(1 / multiplier, rel=0.01)
    np.testing.assert_allclose(y, activated(x @ kernel * multiplier / 20 + 2.0 * multiplier), rtol=1e-7)
    np.testing.assert_array_equal(bias, 2.0)


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("size", [1, 3])
def test_convolution_scales_filters_and_clamps(halve, size):
    layer = EqualisedConv2D(4, size, halve=halve, gain=0.5, clamp=0.8, dtype="float64")
    x = RANDOM.standard_normal((2, 6, 6, 3))
    y = layer(tf.constant(x)).numpy()
    kernel = layer.kernel.numpy() / np.sqrt(3 * size**2)
    # The filter covers 4 pixels; where it halves, it lies around every second result of the kernel.
    before = 2 if halve and size == 3 else 1
    if halve:
        x = fir.upfirdn(tf.constant(x), fir.binomial(), padding=((before, before), (before, before))).numpy()
    pad = 0 if halve else size // 2
    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    rows = padded.shape[1] - size + 1
    full = sum(padded[:, i : i + rows, j : j + rows] @ kernel[i, j] for i in range(size) for j in range(size))
    expected = np.clip(0.5 * activated(full[:, ::2, ::2] if halve else full), -0.4, 0.4)
    assert y.shape == layer.compute_output_shape((2, 6, 6, 3)) == expected.shape
    np.testing.assert_allclose(y, expected, atol=1e-7)


@pytest.mark.parametrize(
    "layer", [EqualisedDense(3, rate_multiplier=0.1, name="d"), EqualisedConv2D(3, halve=True, name="c")]
)
def test_layers_come_back_from_their_configuration(layer):
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    keras.utils.get_registered_object(f"biggan_tf>{type(layer).__name__}")


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="activation must be one of linear, leaky_relu"):
        EqualisedDense(3, "relu")
    with pytest.raises(ValueError, match="kernel_size must be odd"):
        EqualisedConv2D(3, 2)
