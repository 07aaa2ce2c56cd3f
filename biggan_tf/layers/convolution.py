"""Convolution with spectral norm, alone or beside a change of resolution."""

from __future__ import annotations

from typing import Any

import keras

from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.ops import resampling
from biggan_tf.ops.channels import add_bias
from biggan_tf.ops.precision import accumulation_dtype


@keras.saving.register_keras_serializable("biggan_tf")
class SNConv2D(SpectralNormLayer):
    """SAME convolution, NHWC, with spectral norm on its own k x k kernel even where resampling is fused into it.

    Args:
        filters: Output channels.
        kernel_size: 1 or 3.
        resampling: None; "nearest" or "zero_insertion": double the image before; "pool": halve it after.
        fused: Do both in one strided convolution: same values, fewer operations.
        use_bias: Add a bias.
        used_filters: Put out only the first so many channels (the Hub's RGB convolution); sigma is the full kernel's.
        **kwargs: See `SpectralNormLayer`.

    Example:
        >>> SNConv2D(8, 3, resampling="nearest")(keras.ops.ones((2, 4, 4, 3))).shape
        (2, 8, 8, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        resampling: str | None = None,
        fused: bool = True,
        use_bias: bool = True,
        used_filters: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if resampling not in (None, "nearest", "zero_insertion", "pool"):
            raise ValueError(
                f"resampling must be None, nearest, zero_insertion or pool. Received: resampling={resampling!r}"
            )
        if kernel_size not in (1, 3):
            raise ValueError(f"kernel_size must be 1 or 3. Received: kernel_size={kernel_size}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.resampling = resampling
        self.fused = fused
        self.use_bias = use_bias
        self.used_filters = used_filters
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: input_shape[-1]})
        self.add_kernel((self.kernel_size, self.kernel_size, input_shape[-1], self.filters))
        if self.use_bias:
            wide = accumulation_dtype(self.compute_dtype)
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer="zeros", dtype=wide, autocast=False
            )

    def call(self, x: Any, training: bool = False) -> Any:
        kernel = self._used(self.normalised_kernel(training))
        if self.resampling is None:
            y = resampling.convolve(x, kernel)
        elif self.resampling == "pool":
            y = resampling.convolve_pooled(x, kernel, self.fused)
        else:
            y = resampling.convolve_upsampled(x, kernel, self.resampling, self.fused)
        if self.use_bias:
            y = add_bias(y, self._used(self.bias))
        return y

    def _used(self, weight: Any) -> Any:
        # A slice that keeps everything would cost its gradient a copy.
        return weight if self.used_filters is None else weight[..., : self.used_filters]

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        batch, height, width, _ = input_shape
        if self.resampling == "pool":
            height, width = (None if size is None else size // 2 for size in (height, width))
        elif self.resampling is not None:
            height, width = (None if size is None else size * 2 for size in (height, width))
        return (batch, height, width, self.used_filters or self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "resampling": self.resampling,
            "fused": self.fused,
            "use_bias": self.use_bias,
            "used_filters": self.used_filters,
        }
