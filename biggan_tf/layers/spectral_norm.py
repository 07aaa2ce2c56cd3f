"""The base of all layers whose kernel is divided by its largest singular value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.ops import spectral
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import Scalar, Tensor

# By the names in `KERNEL_INITIALIZERS`.
INITIALIZERS = {
    "orthogonal": keras.initializers.Orthogonal,
    "normal": lambda seed=None: keras.initializers.RandomNormal(stddev=0.02, seed=seed),
}


class SpectralNormLayer(keras.layers.Layer):
    """Holds a kernel W and computes with W / sigma(W) (Miyato et al. 2018, arXiv:1802.05957, equation 8).

    W stays the trained variable, and its gradient flows through sigma. The vector u of the power iteration is advanced
    by every call with `training=True` and left alone by the others. Both are float32 under every policy but float64.

    Args:
        spectral_norm: A `SpectralNormOptions`, or the dict of its fields that `get_config` returns; None takes its
            defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.spectral_norm = SpectralNormOptions.of(spectral_norm)

    def add_kernel(self, shape: tuple[int, ...], singular_axis: int = -1) -> None:
        """Creates W, and u where spectral norm is enabled.

        Args:
            shape: The shape of the kernel.
            singular_axis: The axis of the outputs, which u is as long as: the last (-1) or the first (0). The others
                are joined to one for the matrix whose singular value is taken (section 2.1 and, for convolutions, 4).
        """
        self.singular_axis = singular_axis
        wide = accumulation_dtype(self.compute_dtype)
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=INITIALIZERS[self.spectral_norm.kernel_initializer](),
            dtype=wide,
            autocast=False,
        )
        self.u: Any = None
        if not self.spectral_norm.enabled:
            return
        # All replicas hold the same W and u and so compute the same next u, of which the first replica's is taken. A
        # mean over replicas would give the same at the price of an all-reduce.
        self.u = self.add_weight(
            name="u",
            shape=(1, shape[singular_axis]),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
            dtype=wide,
            autocast=False,
            aggregation="only_first_replica",
        )

    def singular_value(self, training: bool = False) -> Scalar:
        """Sigma of the kernel, by one power iteration from u. Training moves u to where the iteration ended."""
        kernel = ops.convert_to_tensor(self.kernel)
        if self.singular_axis == 0:
            matrix = ops.transpose(ops.reshape(kernel, (kernel.shape[0], math.prod(kernel.shape[1:]))))
        else:
            matrix = ops.reshape(kernel, (math.prod(kernel.shape[:-1]), kernel.shape[-1]))
        options = self.spectral_norm
        additive = options.additive_epsilon and training
        sigma, u = spectral.singular_value(matrix, ops.convert_to_tensor(self.u), options.epsilon, additive)
        if training:
            self.u.assign(u)
        return sigma

    def normalised_kernel(self, training: bool = False) -> Float[Tensor, "*S"]:
        """W / sigma in the compute dtype; W itself where spectral norm is not enabled."""
        kernel = ops.convert_to_tensor(self.kernel)
        if self.spectral_norm.enabled:
            # Equation 8. A product and not a quotient, whose gradient would pass over the kernel three times more.
            kernel = kernel * (1.0 / self.singular_value(training))
        return ops.cast(kernel, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "spectral_norm": self.spectral_norm.to_dict()}
