"""A dense layer with spectral norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.ops.channels import add_bias, num_channels
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import InputShape, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class SNDense(SpectralNormLayer):
    """Multiplies the last axis by a kernel that is divided by its largest singular value.

    Args:
        units: The size of the last axis of the output.
        use_bias: Whether a bias is added.
        spectral_norm: A `SpectralNormOptions`, or the dict of its fields that `get_config` returns; None takes its
            defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> SNDense(5)(keras.ops.ones((2, 3))).shape
        (2, 5)
    """

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(spectral_norm, **kwargs)
        self.units = units
        self.use_bias = use_bias
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape: InputShape) -> None:
        channels = num_channels(input_shape)
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: channels})
        self.add_kernel((channels, self.units))
        if self.use_bias:
            wide = accumulation_dtype(self.compute_dtype)
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer="zeros", dtype=wide, autocast=False
            )

    def call(self, x: Float[Tensor, "*S I"], training: bool = False) -> Float[Tensor, "*S O"]:
        y = ops.matmul(x, self.normalised_kernel(training))
        record("dense", y.shape, x.shape[-1])
        if self.use_bias:
            y = add_bias(y, self.bias)
        return y

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "use_bias": self.use_bias}
