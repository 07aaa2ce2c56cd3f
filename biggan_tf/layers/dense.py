"""Dense layer with spectral norm."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.ops.channels import add_bias
from biggan_tf.ops.operation_counter import record
from biggan_tf.ops.precision import accumulation_dtype


@keras.saving.register_keras_serializable("biggan_tf")
class SNDense(SpectralNormLayer):
    """[..., in] to [..., units] with the kernel divided by its largest singular value.

    Args:
        units: Size of the output.
        use_bias: Add a bias.
        **kwargs: See `SpectralNormLayer`.

    Example:
        >>> SNDense(5)(keras.ops.ones((2, 3))).shape
        (2, 5)
    """

    def __init__(self, units: int, use_bias: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: input_shape[-1]})
        self.add_kernel((input_shape[-1], self.units))
        if self.use_bias:
            wide = accumulation_dtype(self.compute_dtype)
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer="zeros", dtype=wide, autocast=False
            )

    def call(self, x: Any, training: bool = False) -> Any:
        y = ops.matmul(x, self.normalised_kernel(training))
        record("dense", y.shape, x.shape[-1])
        if self.use_bias:
            y = add_bias(y, self.bias)
        return y

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "use_bias": self.use_bias}
