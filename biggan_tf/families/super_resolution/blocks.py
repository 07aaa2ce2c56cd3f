"""The layers of the generator: residual blocks without a norm, and the doubling of an image.

A norm would mix the brightness of a row or of a batch into each pixel, which an image that is enlarged must keep
(arXiv:1707.02921, section 3.1). New blocks are the identity, since their last convolution is 0.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.style_generator import NoiseMap
from biggan_tf.ops import fir
from biggan_tf.ops.activations import SLOPE
from biggan_tf.ops.channels import add_bias, num_channels
from biggan_tf.ops.fir_convolution import convolve
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import Activations, InputShape, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf", "SuperResolutionConvolution")
class Convolution(keras.layers.Layer):
    """A 3x3 convolution with a bias that keeps the size of the image.

    Args:
        filters: The number of output channels.
        gain: New weights are drawn from N(0, gain^2 / (9 inputs)); 0: they are 0.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, filters: int, gain: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.gain = gain

    def build(self, input_shape: InputShape) -> None:
        inputs = num_channels(input_shape)
        deviation = self.gain / math.sqrt(9 * inputs)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(3, 3, inputs, self.filters),
            initializer=keras.initializers.RandomNormal(0.0, deviation) if self.gain else "zeros",
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.filters,),
            initializer="zeros",
            dtype=accumulation_dtype(self.compute_dtype),
            autocast=False,
        )

    def call(self, x: Float[Tensor, "N H W I"]) -> Float[Tensor, "N H W O"]:
        return add_bias(convolve(x, ops.convert_to_tensor(self.kernel)), self.bias)

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "gain": self.gain}


class NoisyLayer(keras.layers.Layer):
    """A layer that adds noise times a learned strength, as StyleGAN does (arXiv:1812.04948, section 2).

    Args:
        has_noise: Whether there is noise to add.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, has_noise: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.has_noise = has_noise

    def build_strength(self) -> None:
        """Creates the strength, which is 0 at first."""
        self.strength = None
        if self.has_noise:
            self.strength = self.add_weight(name="noise_strength", shape=(), initializer="zeros")

    def with_noise(self, x: Activations, noise: NoiseMap | None) -> Activations:
        """The activations with the noise.

        Args:
            x: The activations.
            noise: One number for each pixel, of each row or for all rows; None: none is added.
        """
        if self.strength is None or noise is None:
            return x
        return x + ops.cast(self.strength, x.dtype) * ops.cast(noise, x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "has_noise": self.has_noise}


@keras.saving.register_keras_serializable("biggan_tf", "SuperResolutionBlock")
class ResidualBlock(NoisyLayer):
    """x + C2 lrelu(C1 x + noise), at one size and one number of channels.

    Args:
        has_noise: Whether there is noise to add.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def build(self, x_shape: InputShape, noise_shape: InputShape | None = None) -> None:
        channels = num_channels(x_shape)
        self.conv_1 = Convolution(channels, math.sqrt(2.0), name="conv_1", dtype=self.dtype_policy)
        self.conv_2 = Convolution(channels, 0.0, name="conv_2", dtype=self.dtype_policy)
        self.conv_1.build(x_shape)
        self.conv_2.build(x_shape)
        self.build_strength()

    def call(self, x: Activations, noise: NoiseMap | None = None) -> Activations:
        y = ops.leaky_relu(self.with_noise(self.conv_1(x), noise), SLOPE)
        return x + self.conv_2(y)

    def compute_output_shape(self, x_shape: InputShape, noise_shape: InputShape | None = None) -> Shape:
        return tuple(x_shape)


@keras.saving.register_keras_serializable("biggan_tf", "SuperResolutionDoubling")
class Doubling(NoisyLayer):
    """Doubles an image: lrelu(double(x) + noise).

    Args:
        upsampling: "sub_pixel": a convolution gives 4 times the channels, and those of a pixel become its 2x2 pixels
            (arXiv:1609.05158, equation 4). "fir": the filter [1, 3, 3, 1], then a convolution.
        has_noise: Whether there is noise to add.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, upsampling: str, has_noise: bool, **kwargs: Any):
        super().__init__(has_noise, **kwargs)
        self.upsampling = upsampling

    def build(self, x_shape: InputShape, noise_shape: InputShape | None = None) -> None:
        channels = num_channels(x_shape)
        filters = 4 * channels if self.upsampling == "sub_pixel" else channels
        self.conv = Convolution(filters, math.sqrt(2.0), name="conv", dtype=self.dtype_policy)
        self.conv.build(x_shape)
        self.build_strength()

    def call(self, x: Activations, noise: NoiseMap | None = None) -> Float[Tensor, "N H2 W2 C"]:
        if self.upsampling == "sub_pixel":
            y = _channels_to_pixels(self.conv(x))
        else:
            y = self.conv(fir.upsample(x, fir.binomial()))
        return ops.leaky_relu(self.with_noise(y, noise), SLOPE)

    def compute_output_shape(self, x_shape: InputShape, noise_shape: InputShape | None = None) -> Shape:
        batch, height, width, channels = x_shape
        return (batch, *(None if size is None else 2 * size for size in (height, width)), channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "upsampling": self.upsampling}


def _channels_to_pixels(x: Float[Tensor, "N H W D"]) -> Float[Tensor, "N 2*H 2*W C"]:
    """Computes y[2 i + a, 2 j + b, c] = x[i, j, (2 a + b) C + c], where D = 4 C."""
    height, width, channels = x.shape[1], x.shape[2], x.shape[3] // 4
    y = ops.reshape(x, (-1, height, width, 2, 2, channels))
    return ops.reshape(ops.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, 2 * height, 2 * width, channels))
