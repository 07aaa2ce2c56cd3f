"""Single operations of StyleGAN3 against what NVIDIA's code computed; see ../stylegan2/parity_test.py."""

import json

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.ops import low_pass
from biggan_tf.ops.filtered_activation import filtered_activation
from biggan_tf.ops.normalised_modulation import normalised_modulated_convolution
from tests.biggan_tf.parity_cases import PARITY, needs_parity, nhwc, relative

pytestmark = [pytest.mark.processor, needs_parity]
FOLDER = PARITY / "operations"
SETTINGS = json.loads((FOLDER / "settings.json").read_text()) if PARITY.is_dir() else {}


def cases(operation):
    return pytest.mark.parametrize("name", [name for name in SETTINGS if name.startswith(f"{operation}/")])


def gradients(operation, probe, *inputs):
    """The result, and the gradients of its product with the probe."""
    inputs = [tf.constant(value, tf.float64) for value in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = operation(*inputs)
        total = tf.reduce_sum(y * nhwc(probe))
    return y, tape.gradient(total, inputs)


@cases("kaiser")
def test_filters_are_nvidias(name):
    given = SETTINGS[name]
    taps = low_pass.separable(given["numtaps"], given["cutoff"], given["width"], given["fs"])
    assert relative(taps, np.load(FOLDER / "io.npz")[name]) < 1e-6


@cases("filtered_lrelu")
def test_filtered_activations_are_nvidias(name):
    io, given = np.load(FOLDER / "io.npz"), SETTINGS[name]
    taps = [None if given[key] is None else io[given[key]] for key in ("up_filter", "down_filter")]
    left, right, above, below = given["padding"]
    padding = ((above, below), (left, right))

    def operation(x, bias):
        return filtered_activation(
            x, bias, "leaky_relu", given["up"], given["down"], *taps, padding=padding, clamp=given["clamp"]
        )

    y, (of_x, of_bias) = gradients(operation, io[f"{name}/probe"], nhwc(io[f"{name}/in/x"]), io[f"{name}/in/b"])
    assert relative(y, nhwc(io[f"{name}/out"])) < 1e-5
    assert relative(of_x, nhwc(io[f"{name}/grad/x"])) < 1e-4
    assert relative(of_bias, io[f"{name}/grad/b"]) < 1e-4


@cases("modulated_conv3")
def test_modulated_convolutions_are_nvidias(name):
    io, given = np.load(FOLDER / "io.npz"), SETTINGS[name]

    def operation(x, kernel, styles):
        return normalised_modulated_convolution(x, kernel, styles, given["demodulate"], given["input_gain"])

    inputs = nhwc(io[f"{name}/in/x"]), io[f"{name}/in/w"].transpose(2, 3, 1, 0), io[f"{name}/in/s"]
    y, (of_x, of_kernel, of_styles) = gradients(operation, io[f"{name}/probe"], *inputs)
    assert relative(y, nhwc(io[f"{name}/out"])) < 1e-5
    assert relative(of_x, nhwc(io[f"{name}/grad/x"])) < 1e-4
    assert relative(of_kernel, io[f"{name}/grad/w"].transpose(2, 3, 1, 0)) < 1e-4
    assert relative(of_styles, io[f"{name}/grad/s"]) < 1e-4
