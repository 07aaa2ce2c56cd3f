"""The layers of both networks: figure 2 (d) of arXiv:1912.04958, and the residual block of figure 7 (c)."""

from __future__ import annotations

import math
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.config import to_dict
from biggan_tf.contracts.style_generator import NoiseMap
from biggan_tf.layers.equalised import EqualisedConv2D, EqualisedDense
from biggan_tf.layers.norm_slots import Classes, Norm, norm_of
from biggan_tf.ops import fir
from biggan_tf.ops.activations import activate
from biggan_tf.ops.channels import num_channels
from biggan_tf.ops.modulation import modulated_convolution
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import Activations, Images, InputShape, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class StyledConvolution(keras.layers.Layer):
    """A modulated and demodulated 3x3 convolution, which may double the image; then noise, bias and activation.

    Args:
        filters: The number of output channels.
        size: The height and width of the result.
        double: Whether the image is doubled.
        clamp: The largest size of a value of the result; None: no limit.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Attributes:
        stored_noise: The noise for `noise="constant"`, [size, size].
        kernel_squares: `squared_kernel`, which a copy for inference has computed once; None: every call computes it.
    """

    def __init__(self, filters: int, size: int, double: bool = False, clamp: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.size = size
        self.double = double
        self.clamp = clamp
        self.kernel_squares: Float[Tensor, "I O"] | None = None

    def build(self, x_shape: InputShape, w_shape: InputShape) -> None:
        inputs = num_channels(x_shape)
        wide = accumulation_dtype(self.compute_dtype)
        self.style = EqualisedDense(inputs, bias_init=1.0, name="style", dtype=self.dtype_policy)
        self.style.build(w_shape)
        self.kernel = self.add_weight(
            name="kernel", shape=(3, 3, inputs, self.filters), initializer=keras.initializers.RandomNormal(0.0, 1.0)
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros", dtype=wide, autocast=False)
        self.noise_strength = self.add_weight(
            name="noise_strength", shape=(), initializer="zeros", dtype=wide, autocast=False
        )
        self.stored_noise = self.add_weight(
            name="stored_noise",
            shape=(self.size, self.size),
            initializer=keras.initializers.RandomNormal(0.0, 1.0),
            trainable=False,
            dtype=wide,
            autocast=False,
            aggregation="only_first_replica",
        )

    def call(
        self, x: Float[Tensor, "N H W I"], w: Float[Tensor, "N V"], noise: NoiseMap | None = None
    ) -> Float[Tensor, "N H2 W2 O"]:
        """Computes the layer.

        Args:
            x: The activations.
            w: The style of each row.
            noise: What is added, times the strength that is learned; None: nothing.
        """
        taps = fir.binomial() if self.double else None
        y = modulated_convolution(x, self.kernel, self.style(w), upsample_taps=taps, squares=self.kernel_squares)
        if noise is not None:
            y = y + ops.cast(ops.cast(noise, self.noise_strength.dtype) * self.noise_strength, y.dtype)
        return activate(y, self.bias, clamp=self.clamp)

    def compute_output_shape(
        self, x_shape: InputShape, w_shape: InputShape, noise_shape: InputShape | None = None
    ) -> Shape:
        return (x_shape[0], self.size, self.size, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "size": self.size,
            "double": self.double,
            "clamp": self.clamp,
        }


@keras.saving.register_keras_serializable("biggan_tf")
class ToRGB(keras.layers.Layer):
    """A modulated 1x1 convolution to 3 channels, without demodulation and without activation.

    Args:
        clamp: The largest size of a value of the result; None: no limit.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, clamp: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.clamp = clamp

    def build(self, x_shape: InputShape, w_shape: InputShape) -> None:
        inputs = num_channels(x_shape)
        self.equaliser = 1.0 / math.sqrt(inputs)
        self.style = EqualisedDense(inputs, bias_init=1.0, name="style", dtype=self.dtype_policy)
        self.style.build(w_shape)
        self.kernel = self.add_weight(
            name="kernel", shape=(1, 1, inputs, 3), initializer=keras.initializers.RandomNormal(0.0, 1.0)
        )
        self.bias = self.add_weight(
            name="bias", shape=(3,), initializer="zeros", dtype=accumulation_dtype(self.compute_dtype), autocast=False
        )

    def call(self, x: Activations, w: Float[Tensor, "N V"]) -> Images:
        styles = self.style(w)
        styles = styles if self.equaliser == 1.0 else styles * self.equaliser
        y = modulated_convolution(x, self.kernel, styles, demodulate=False)
        return activate(y, self.bias, "linear", clamp=self.clamp)

    def compute_output_shape(self, x_shape: InputShape, w_shape: InputShape) -> Shape:
        return (*x_shape[:-1], 3)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "clamp": self.clamp}


@keras.saving.register_keras_serializable("biggan_tf")
class HalvingBlock(keras.layers.Layer):
    """Two convolutions, the second of which halves the image; a residual block adds a halved linear shortcut.

    Each of the two has a norm slot in front of its bias, which the authors leave empty.

    Args:
        filters: The number of output channels; the first convolution keeps those of the input.
        residual: Whether there is a shortcut. The sum of the two branches is divided by sqrt(2).
        clamp: The largest size of a value; None: no limit.
        norm: What normalises the block, the configuration of a norm or the dict that `to_dict` wrote of one; None, the
            default: nothing does.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(
        self, filters: int, residual: bool = True, clamp: float | None = None, norm: Norm = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.residual = residual
        self.clamp = clamp
        self.norm = norm_of(norm)

    def build(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> None:
        inputs = num_channels(x_shape)
        gain = math.sqrt(0.5) if self.residual else 1.0
        divides = self.norm.divides_kernels
        options: dict[str, Any] = {
            "clamp": self.clamp,
            "divides_kernel": divides,
            "norm": self.norm,
            "dtype": self.dtype_policy,
        }
        self.conv_0 = EqualisedConv2D(inputs, 3, name="conv_0", **options)
        self.conv_0.build(x_shape, classes_shape)
        self.conv_1 = EqualisedConv2D(self.filters, 3, halve=True, gain=gain, name="conv_1", **options)
        self.conv_1.build(x_shape, classes_shape)
        self.shortcut = None
        if self.residual:
            self.shortcut = EqualisedConv2D(
                self.filters,
                1,
                halve=True,
                activation="linear",
                use_bias=False,
                gain=gain,
                divides_kernel=divides,
                name="shortcut",
                dtype=self.dtype_policy,
            )
            self.shortcut.build(x_shape)

    def call(
        self, x: Float[Tensor, "N H W I"], classes: Classes = None, training: bool = False
    ) -> Float[Tensor, "N H2 W2 O"]:
        y = self.conv_0(x, classes, training=training)
        y = self.conv_1(y, classes, training=training)
        return y if self.shortcut is None else y + self.shortcut(x, training=training)

    def compute_output_shape(self, x_shape: InputShape, classes_shape: InputShape | None = None) -> Shape:
        return self.conv_1.compute_output_shape(x_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "residual": self.residual,
            "clamp": self.clamp,
            "norm": to_dict(self.norm),
        }
