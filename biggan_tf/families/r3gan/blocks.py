"""The layers of both networks: the bottleneck block and the changes of resolution (arXiv:2501.05441, figure 3).

No convolution has a bias; biases belong to the activations. Weights start at N(0, gain^2 / fan in), and the last
convolution of a block at 0, so that a new block is the identity (fix-up initialisation, arXiv:1901.09321).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.config import to_dict
from biggan_tf.layers.norm_slots import Classes, Norm, built_division, built_slot, divided, norm_of, through
from biggan_tf.ops import fir
from biggan_tf.ops.activations import SLOPE
from biggan_tf.ops.channels import add_bias, num_channels
from biggan_tf.ops.grouped_convolution import grouped_convolution
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import Activations, InputShape, Shape, Tensor


def scaled_normal(gain: float, fan_in: int) -> keras.initializers.Initializer:
    """Draws weights from N(0, gain^2 / fan in); zeros for gain 0."""
    return keras.initializers.RandomNormal(0.0, gain / math.sqrt(fan_in)) if gain else keras.initializers.Zeros()


@keras.saving.register_keras_serializable("biggan_tf", "R3GANConvolution")
class PlainConvolution(keras.layers.Layer):
    """A convolution in groups of channels, without a bias, that keeps the size of the image.

    Args:
        filters: The number of output channels.
        kernel_size: The height and width of the kernel.
        groups: How many groups the channels form.
        gain: The factor of the weights of a new layer; 0: they are 0.
        divides_kernel: Whether spectral norm divides the kernel; then its scale has no effect.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        groups: int = 1,
        gain: float = 1.0,
        divides_kernel: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.groups = groups
        self.gain = gain
        self.divides_kernel = divides_kernel

    def build(self, input_shape: InputShape) -> None:
        inputs = num_channels(input_shape) // self.groups
        shape = (self.kernel_size, self.kernel_size, inputs, self.filters)
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=scaled_normal(self.gain, math.prod(shape[:3])),
            autocast=not self.divides_kernel,
        )
        self.division = built_division(self.divides_kernel, shape, self.compute_dtype)

    def call(self, x: Float[Tensor, "N H W I"], training: bool = False) -> Float[Tensor, "N H W O"]:
        kernel = divided(self.division, ops.convert_to_tensor(self.kernel), training, self.compute_dtype)
        return grouped_convolution(x, kernel, self.groups)

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
            "gain": self.gain,
            "divides_kernel": self.divides_kernel,
        }


@keras.saving.register_keras_serializable("biggan_tf", "R3GANLinear")
class PlainLinear(keras.layers.Layer):
    """A matrix product without a bias.

    Args:
        units: The size of the last axis of the output.
        gain: The factor of the weights of a new layer; None: sqrt(fan in / units), whose weights are N(0, 1 / units).
        divides_kernel: Whether spectral norm divides the kernel; then its scale has no effect.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, units: int, gain: float | None = 1.0, divides_kernel: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.gain = gain
        self.divides_kernel = divides_kernel

    def build(self, input_shape: InputShape) -> None:
        inputs = num_channels(input_shape)
        gain = math.sqrt(inputs / self.units) if self.gain is None else self.gain
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs, self.units),
            initializer=scaled_normal(gain, inputs),
            autocast=not self.divides_kernel,
        )
        self.division = built_division(self.divides_kernel, (inputs, self.units), self.compute_dtype)

    def call(self, x: Float[Tensor, "N I"], training: bool = False) -> Float[Tensor, "N O"]:
        kernel = divided(self.division, ops.convert_to_tensor(self.kernel), training, self.compute_dtype)
        y = ops.matmul(x, kernel)
        record("dense", y.shape, x.shape[-1])
        return y

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "gain": self.gain, "divides_kernel": self.divides_kernel}


@keras.saving.register_keras_serializable("biggan_tf", "R3GANBlock")
class Bottleneck(keras.layers.Layer):
    """A residual block: x + C3 lrelu(b2 + C2 lrelu(b1 + C1 x)), where C1 and C3 are 1x1 and C2 is 3x3 in groups.

    In front of each of the two biases there is a norm slot, which the authors leave empty.

    Args:
        expansion: How many times as many channels there are between C1 and C3.
        groups: The groups of C2.
        gain: The factor of the new weights of C1 and C2. Those of C3 are 0; where spectral norm divides the kernels
            they have this factor, too, since a kernel of zeros has no singular value to divide by.
        norm: What normalises the block, the configuration of a norm or the dict that `to_dict` wrote of one; None, the
            default: nothing does.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, expansion: int, groups: int, gain: float, norm: Norm = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.expansion = expansion
        self.groups = groups
        self.gain = gain
        self.norm = norm_of(norm)

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        channels = num_channels(x_shape)
        inner = self.expansion * channels
        shape = (*x_shape[:-1], inner)
        last_gain = self.gain if self.norm.divides_kernels else 0.0
        self.conv_1 = self._convolution(inner, 1, 1, self.gain, "conv_1")
        self.conv_2 = self._convolution(inner, 3, self.groups, self.gain, "conv_2")
        self.conv_3 = self._convolution(channels, 1, 1, last_gain, "conv_3")
        self.conv_1.build(x_shape)
        self.conv_2.build(shape)
        self.conv_3.build(shape)
        self.bias_1, self.bias_2 = (
            self.add_weight(
                name=name,
                shape=(inner,),
                initializer="zeros",
                dtype=accumulation_dtype(self.compute_dtype),
                autocast=False,
            )
            for name in ("bias_1", "bias_2")
        )
        self.norm_1, self.norm_2 = (
            built_slot(self.norm, name, shape, classes_shape, self.dtype_policy, offset=False)
            for name in ("norm_1", "norm_2")
        )

    def _convolution(self, filters: int, kernel_size: int, groups: int, gain: float, name: str) -> PlainConvolution:
        return PlainConvolution(
            filters,
            kernel_size,
            groups,
            gain,
            divides_kernel=self.norm.divides_kernels,
            name=name,
            dtype=self.dtype_policy,
        )

    def call(self, x: Activations, classes: Classes = None, training: bool = False) -> Activations:
        y = through(self.norm_1, self.conv_1(x, training=training), classes, training)
        y = ops.leaky_relu(add_bias(y, self.bias_1), SLOPE)
        y = through(self.norm_2, self.conv_2(y, training=training), classes, training)
        y = ops.leaky_relu(add_bias(y, self.bias_2), SLOPE)
        return x + self.conv_3(y, training=training)

    def compute_output_shape(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> Shape:
        return tuple(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "expansion": self.expansion,
            "groups": self.groups,
            "gain": self.gain,
            "norm": to_dict(self.norm),
        }


@keras.saving.register_keras_serializable("biggan_tf", "R3GANTransition")
class Transition(keras.layers.Layer):
    """Doubles or halves an image with the filter [1, 3, 3, 1]; a 1x1 convolution changes the number of channels.

    The convolution is computed at the lower resolution. It is left out where the number of channels stays.

    Args:
        filters: The number of output channels.
        double: Whether the image is doubled; False: it is halved.
        divides_kernel: Whether spectral norm divides the kernel of the convolution; then its scale has no effect.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, filters: int, double: bool, divides_kernel: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.double = double
        self.divides_kernel = divides_kernel

    def build(self, input_shape: InputShape) -> None:
        self.conv = None
        if num_channels(input_shape) != self.filters:
            self.conv = PlainConvolution(
                self.filters, 1, divides_kernel=self.divides_kernel, name="conv", dtype=self.dtype_policy
            )
            self.conv.build(input_shape)

    def call(self, x: Float[Tensor, "N H W I"], training: bool = False) -> Float[Tensor, "N H2 W2 O"]:
        if not self.double:
            x = fir.downsample(x, fir.binomial())
        if self.conv is not None:
            x = self.conv(x, training=training)
        return fir.upsample(x, fir.binomial()) if self.double else x

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        batch, height, width, _ = input_shape
        sizes = [size if size is None else (size * 2 if self.double else size // 2) for size in (height, width)]
        return (batch, sizes[0], sizes[1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "double": self.double,
            "divides_kernel": self.divides_kernel,
        }


def block_gain(num_blocks: int) -> float:
    """The factor of new weights inside of a block: sqrt(2 / (1 + slope^2)) L^(-1/4), where L counts a network's blocks.

    The exponent is fix-up's -1 / (2 m - 2) for the m = 3 convolutions of a block (arXiv:1901.09321, section 3).
    """
    return math.sqrt(2.0 / (1.0 + SLOPE**2)) * num_blocks**-0.25
