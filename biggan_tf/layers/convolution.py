"""A convolution with spectral norm, which may double the image before it or halve it after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from jaxtyping import Float

from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.ops.channels import add_bias, num_channels
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.ops.resampling import UPSAMPLINGS, convolve, convolve_pooled, convolve_upsampled
from biggan_tf.types import InputShape, Shape, Tensor

_POOLINGS = {"pool": "mean", "filtered_pool": "filtered"}


@keras.saving.register_keras_serializable("biggan_tf")
class SNConv2D(SpectralNormLayer):
    """Convolution of NHWC images with zero padding to the same size.

    Sigma is that of the k x k kernel, also where the change of resolution is fused into the convolution.

    Args:
        filters: The number of output channels.
        kernel_size: 1 or 3, the height and width of the kernel.
        resampling: None keeps the resolution. "nearest" and "zero_insertion" double the image before the convolution,
            by repeating pixels or by zeros between them, and "filtered" with a FIR filter. "pool" halves it after, by
            the mean of 2x2 pixels, and "filtered_pool" with a FIR filter, see `ops.resampling`.
        fused: Whether to convolve and resample in one strided convolution: the same values in fewer operations. It has
            no effect on what a FIR filter resamples, where the kernel always runs at the lower resolution.
        use_bias: Whether a bias is added.
        used_filters: Computes only the first so many output channels, while sigma stays that of the kernel with all of
            them; the last convolution of the deep Hub modules is built like this. None computes all.
        spectral_norm: A `SpectralNormOptions`, or the dict of its fields that `get_config` returns; None takes its
            defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

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
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(spectral_norm, **kwargs)
        if resampling not in (None, *UPSAMPLINGS, *_POOLINGS):
            known = ", ".join((*UPSAMPLINGS, *_POOLINGS))
            raise ValueError(f"resampling must be None or one of {known}. Received: resampling={resampling!r}")
        if kernel_size not in (1, 3):
            raise ValueError(f"kernel_size must be 1 or 3. Received: kernel_size={kernel_size}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.resampling = resampling
        self.fused = fused
        self.use_bias = use_bias
        self.used_filters = used_filters
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: InputShape) -> None:
        channels = num_channels(input_shape)
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})
        self.add_kernel((self.kernel_size, self.kernel_size, channels, self.filters))
        if self.use_bias:
            wide = accumulation_dtype(self.compute_dtype)
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer="zeros", dtype=wide, autocast=False
            )

    def call(self, x: Float[Tensor, "N H W I"], training: bool = False) -> Float[Tensor, "N H2 W2 O"]:
        kernel = self._used(self.normalised_kernel(training))
        if self.resampling is None:
            y = convolve(x, kernel)
        elif self.resampling in _POOLINGS:
            y = convolve_pooled(x, kernel, self.fused, _POOLINGS[self.resampling])
        else:
            y = convolve_upsampled(x, kernel, self.resampling, self.fused)
        if self.use_bias:
            y = add_bias(y, self._used(self.bias))
        return y

    def _used(self, weight: Float[Tensor, "*S O"]) -> Float[Tensor, "*S P"]:
        """The weights of the output channels that are computed."""
        # A slice that keeps everything would cost its gradient a copy.
        return weight if self.used_filters is None else weight[..., : self.used_filters]

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        batch, height, width, _ = input_shape
        if self.resampling in _POOLINGS:
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
