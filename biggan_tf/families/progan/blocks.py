"""The layers of both networks (Karras et al. 2018, arXiv:1710.10196, appendix A.1).

All have an equalised learning rate (section 4.1): the stored weights are of N(0, 1), and a call multiplies them by
gain / sqrt(fan in). He's gain for a leaky ReLU, sqrt(2), belongs to the weights here and not to the activation, so that
the bias is not multiplied by it, as it is in the layers of StyleGAN (`layers.equalised`).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.config import to_dict
from biggan_tf.layers.norm_slots import Classes, Norm, built_division, built_slot, divided, norm_of, through
from biggan_tf.ops import resampling
from biggan_tf.ops.activations import SLOPE, normalise_second_moment
from biggan_tf.ops.channels import add_bias, num_channels
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.types import Activations, InputShape, Shape, Tensor

HE_GAIN = math.sqrt(2.0)
RESAMPLINGS = ("none", "double", "halve")


@keras.saving.register_keras_serializable("biggan_tf")
class GrownConvolution(keras.layers.Layer):
    """A convolution, which may double or halve the image, then a bias, a leaky ReLU and perhaps pixel norm.

    In front of the bias there is a norm slot, which the authors leave empty.

    Args:
        filters: The number of output channels.
        kernel_size: The height and width of the kernel, 3 or 1.
        resampling: "none"; "double", in front of the kernel and by nearest neighbour; or "halve", behind it and by
            the mean of 2x2 pixels.
        normalise: Whether each pixel is divided by the root of the mean of its squares (section 4.2).
        averages_before_activation: Whether "halve" comes before the bias and the activation, or after them.
        divides_kernel: Whether spectral norm divides the kernel; then its scale has no effect.
        norm: What the norm slot holds, the configuration of a norm or the dict that `to_dict` wrote of one; None, the
            default, leaves it empty.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        resampling: str = "none",
        normalise: bool = False,
        averages_before_activation: bool = True,
        divides_kernel: bool = False,
        norm: Norm = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if resampling not in RESAMPLINGS:
            raise ValueError(f"resampling must be one of {', '.join(RESAMPLINGS)}. Received: {resampling!r}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.resampling = resampling
        self.normalise = normalise
        self.averages_before_activation = averages_before_activation
        self.divides_kernel = divides_kernel
        self.norm = norm_of(norm)

    @property
    def _halves_late(self) -> bool:
        return self.resampling == "halve" and not self.averages_before_activation

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        shape = (self.kernel_size, self.kernel_size, num_channels(x_shape), self.filters)
        self.equaliser = HE_GAIN / math.sqrt(math.prod(shape[:3]))
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=keras.initializers.RandomNormal(0.0, 1.0),
            autocast=not self.divides_kernel,
        )
        self.division = built_division(self.divides_kernel, shape, self.compute_dtype)
        after = (*x_shape[:-1], self.filters) if self._halves_late else self.compute_output_shape(x_shape)
        self.norm_slot = built_slot(self.norm, "norm", after, classes_shape, self.dtype_policy, offset=False)
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
        if self.resampling == "double":
            y = resampling.convolve_upsampled(x, kernel)
        elif self.resampling == "none" or self._halves_late:
            y = resampling.convolve(x, kernel)
        else:
            y = resampling.convolve_pooled(x, kernel)
        y = through(self.norm_slot, y, classes, training)
        y = ops.leaky_relu(add_bias(y, self.bias), SLOPE)
        if self._halves_late:
            y = resampling.average_pool(y)
        return normalised_pixels(y) if self.normalise else y

    def compute_output_shape(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> Shape:
        batch, *size, _ = x_shape
        factor = {"none": 1.0, "double": 2.0, "halve": 0.5}[self.resampling]
        return (batch, *(None if length is None else int(length * factor) for length in size), self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "resampling": self.resampling,
            "normalise": self.normalise,
            "averages_before_activation": self.averages_before_activation,
            "divides_kernel": self.divides_kernel,
            "norm": to_dict(self.norm),
        }


@keras.saving.register_keras_serializable("biggan_tf")
class LatentToPixels(keras.layers.Layer):
    """A matrix product from a vector to 4x4 pixels, then a bias for each channel, a leaky ReLU and pixel norm.

    Args:
        filters: The number of output channels.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape: InputShape) -> None:
        inputs = num_channels(input_shape)
        # Table 2 has a 4x4 convolution here, whose fan in is 16 times the inputs: sqrt(2 / (16 inputs)).
        self.equaliser = HE_GAIN / 4.0 / math.sqrt(inputs)
        self.kernel = self.add_weight(
            name="kernel", shape=(inputs, 16 * self.filters), initializer=keras.initializers.RandomNormal(0.0, 1.0)
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.filters,),
            initializer="zeros",
            dtype=accumulation_dtype(self.compute_dtype),
            autocast=False,
        )

    def call(self, x: Float[Tensor, "N I"]) -> Float[Tensor, "N 4 4 O"]:
        y = ops.matmul(x, self.kernel * self.equaliser)
        record("dense", y.shape, x.shape[-1])
        y = ops.reshape(y, (-1, 4, 4, self.filters))
        return normalised_pixels(ops.leaky_relu(add_bias(y, self.bias), SLOPE))

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (input_shape[0], 4, 4, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("biggan_tf")
class HiddenDense(keras.layers.Layer):
    """A matrix product, a bias and a leaky ReLU.

    Args:
        units: The size of the last axis of the output.
        divides_kernel: Whether spectral norm divides the kernel; then its scale has no effect.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, units: int, divides_kernel: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.divides_kernel = divides_kernel

    def build(self, input_shape: InputShape) -> None:
        inputs = num_channels(input_shape)
        self.equaliser = HE_GAIN / math.sqrt(inputs)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs, self.units),
            initializer=keras.initializers.RandomNormal(0.0, 1.0),
            autocast=not self.divides_kernel,
        )
        self.division = built_division(self.divides_kernel, (inputs, self.units), self.compute_dtype)
        self.bias = self.add_weight(
            name="bias",
            shape=(self.units,),
            initializer="zeros",
            dtype=accumulation_dtype(self.compute_dtype),
            autocast=False,
        )

    def call(self, x: Float[Tensor, "N I"], training: bool = False) -> Float[Tensor, "N O"]:
        y = ops.matmul(x, divided(self.division, self.kernel * self.equaliser, training, self.compute_dtype))
        record("dense", y.shape, x.shape[-1])
        return ops.leaky_relu(add_bias(y, self.bias), SLOPE)

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "divides_kernel": self.divides_kernel}


def level_of_detail(network: keras.Model) -> keras.Variable:
    """Creates a network's variable of that name, see `contracts.growing.GrowingNetwork`; 0: the network is grown."""
    variable: keras.Variable = network.add_weight(
        name="lod",
        shape=(),
        initializer="zeros",
        trainable=False,
        dtype=accumulation_dtype(network.compute_dtype),
        autocast=False,
        aggregation="only_first_replica",
    )
    return variable


def normalised_pixels(x: Activations) -> Activations:
    """Pixel norm, b = a / sqrt(mean_c a^2 + 1e-8) (section 4.2); float16 has no number as small as this epsilon."""
    return ops.cast(normalise_second_moment(widen(x)), x.dtype)
