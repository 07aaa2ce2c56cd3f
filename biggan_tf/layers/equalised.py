"""Layers with an equalised learning rate (Karras et al. 2018, arXiv:1710.10196, section 4.1).

The stored weights are drawn from N(0, 1) and multiplied by c = 1 / sqrt(fan in), He's deviation, at every call. Adam's
steps have the same size whatever the scale of a weight is, so all layers then learn at the same rate. A factor m of the
learning rate stores weights and biases 1 / m times as large, and multiplies them by m at every call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.config import to_dict
from biggan_tf.layers.norm_slots import Classes, Norm, built_division, built_slot, divided, norm_of, through
from biggan_tf.ops import fir
from biggan_tf.ops.activations import GAINS, activate
from biggan_tf.ops.channels import num_channels
from biggan_tf.ops.fir_convolution import convolve, convolve_downsampled
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import InputShape, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class EqualisedDense(keras.layers.Layer):
    """Multiplies the last axis by a kernel, adds a bias, and applies an activation.

    Args:
        units: The size of the last axis of the output.
        activation: "linear" or "leaky_relu", with the gain of `ops.activations.GAINS`.
        use_bias: Whether a bias is added.
        bias_init: The bias of a new layer as it is stored: one number for all outputs, or one for each.
        kernel_init: The deviation of a new layer's kernel, times `rate_multiplier`; 0: zeros.
        rate_multiplier: The factor m of the learning rate.
        divides_kernel: Whether spectral norm divides the kernel; then its scale has no effect.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> EqualisedDense(5)(keras.ops.ones((2, 3))).shape
        (2, 5)
    """

    def __init__(
        self,
        units: int,
        activation: str = "linear",
        use_bias: bool = True,
        bias_init: float | Sequence[float] = 0.0,
        rate_multiplier: float = 1.0,
        kernel_init: float = 1.0,
        divides_kernel: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.activation = checked_activation(activation)
        self.use_bias = use_bias
        self.bias_init = bias_init
        self.kernel_init = kernel_init
        self.rate_multiplier = rate_multiplier
        self.divides_kernel = divides_kernel

    def build(self, input_shape: InputShape) -> None:
        inputs = num_channels(input_shape)
        self.gain = self.rate_multiplier / math.sqrt(inputs)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs, self.units),
            initializer=keras.initializers.RandomNormal(0.0, self.kernel_init / self.rate_multiplier),
            autocast=not self.divides_kernel,
        )
        self.division = built_division(self.divides_kernel, (inputs, self.units), self.compute_dtype)
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=keras.initializers.Constant(self.bias_init),
                dtype=accumulation_dtype(self.compute_dtype),
                autocast=False,
            )

    def call(self, x: Float[Tensor, "*S I"], training: bool = False) -> Float[Tensor, "*S O"]:
        kernel = divided(self.division, _times(self.kernel, self.gain), training, self.compute_dtype)
        y = ops.matmul(x, kernel)
        record("dense", y.shape, x.shape[-1])
        return activate(y, _times(self.bias, self.rate_multiplier) if self.use_bias else None, self.activation)

    def fold(self, factor: float = 1.0) -> None:
        """Multiplies the stored weights by their gains and by a factor, so that a call no longer does.

        The layer then computes `factor` times what it did, and its weights are no longer those of training; so it must
        be one of a copy for inference.

        Args:
            factor: What the layer's result is multiplied by; above 0 unless the activation is linear.
        """
        self.kernel.assign(self.kernel * (self.gain * factor))
        if self.use_bias:
            self.bias.assign(self.bias * (self.rate_multiplier * factor))
        self.gain = self.rate_multiplier = 1.0

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "bias_init": self.bias_init,
            "rate_multiplier": self.rate_multiplier,
            "kernel_init": self.kernel_init,
            "divides_kernel": self.divides_kernel,
        }


@keras.saving.register_keras_serializable("biggan_tf")
class EqualisedConv2D(keras.layers.Layer):
    """A convolution of NHWC images, which may halve them after a FIR filter, with bias and activation.

    Args:
        filters: The number of output channels.
        kernel_size: The height and width of the kernel, an odd number.
        halve: Whether the image becomes half as large, with StyleGAN2's filter.
        activation: "linear" or "leaky_relu", with the gain of `ops.activations.GAINS`.
        use_bias: Whether a bias is added.
        gain: A further factor of the result and of `clamp`.
        clamp: The largest size of a value of the result; None: no limit.
        divides_kernel: Whether spectral norm divides the kernel; then its scale has no effect.
        norm: What the norm slot between the convolution and the bias holds, the configuration of a norm or the dict
            that `to_dict` wrote of one; None, the default, leaves it empty.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> EqualisedConv2D(8, 3, halve=True)(keras.ops.ones((2, 4, 4, 3))).shape
        (2, 2, 2, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        halve: bool = False,
        activation: str = "leaky_relu",
        use_bias: bool = True,
        gain: float = 1.0,
        clamp: float | None = None,
        divides_kernel: bool = False,
        norm: Norm = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_size % 2 != 1:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.halve = halve
        self.activation = checked_activation(activation)
        self.use_bias = use_bias
        self.gain = gain
        self.clamp = clamp
        self.divides_kernel = divides_kernel
        self.norm = norm_of(norm)

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        shape = (self.kernel_size, self.kernel_size, num_channels(x_shape), self.filters)
        self.equaliser = 1.0 / math.sqrt(math.prod(shape[:3]))
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=keras.initializers.RandomNormal(0.0, 1.0),
            autocast=not self.divides_kernel,
        )
        self.division = built_division(self.divides_kernel, shape, self.compute_dtype)
        after = self.compute_output_shape(x_shape)
        self.norm_slot = built_slot(
            self.norm, "norm", after, classes_shape, self.dtype_policy, offset=not self.use_bias
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer="zeros",
                dtype=accumulation_dtype(self.compute_dtype),
                autocast=False,
            )

    def call(
        self, x: Float[Tensor, "N H W I"], classes: Classes = None, training: bool = False
    ) -> Float[Tensor, "N H2 W2 O"]:
        kernel = divided(self.division, self.kernel * self.equaliser, training, self.compute_dtype)
        y = convolve_downsampled(x, kernel, fir.binomial()) if self.halve else convolve(x, kernel)
        y = through(self.norm_slot, y, classes, training)
        return activate(y, self.bias if self.use_bias else None, self.activation, self.gain, self.clamp)

    def compute_output_shape(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> Shape:
        batch, *size, _ = x_shape
        size = [None if length is None else length // (2 if self.halve else 1) for length in size]
        return (batch, *size, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "halve": self.halve,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "gain": self.gain,
            "clamp": self.clamp,
            "divides_kernel": self.divides_kernel,
            "norm": to_dict(self.norm),
        }


def _times(x: Float[Tensor, "*S"], factor: float) -> Float[Tensor, "*S"]:
    return x if factor == 1.0 else x * factor


def checked_activation(activation: str) -> str:
    """The name of an activation; ValueError if there is no such."""
    if activation not in GAINS:
        raise ValueError(f"activation must be one of {', '.join(GAINS)}. Received: activation={activation!r}")
    return activation
