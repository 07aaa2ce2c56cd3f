"""The base of all layers whose kernel is divided by its largest singular value."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from biggan_tf.ops import spectral
from biggan_tf.ops.precision import accumulation_dtype

INITIALIZERS = {
    "orthogonal": keras.initializers.Orthogonal,
    "normal": lambda seed=None: keras.initializers.RandomNormal(stddev=0.02, seed=seed),
}


class SpectralNormLayer(keras.layers.Layer):
    """Holds a raw kernel W and u; computes with W / sigma (Miyato et al. 2018, algorithm 1).

    W stays the trained variable and the gradient flows through sigma. u is advanced once by every call with
    `training=True` and left alone otherwise. All of it is float32 under every policy
    but float64.

    Args:
        kernel_initializer: "orthogonal" or "normal".
        epsilon: For the power iteration's normalisations.
        additive_epsilon: In training divide by |x| + epsilon (the Hub's modules), not by max(|x|, epsilon).
        spectral_norm: Set to False for the raw kernel.
    """

    def __init__(
        self,
        kernel_initializer: str = "orthogonal",
        epsilon: float = 1e-6,
        additive_epsilon: bool = False,
        spectral_norm: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_initializer not in INITIALIZERS:
            raise ValueError(
                f"kernel_initializer must be one of {', '.join(INITIALIZERS)}. "
                f"Received: kernel_initializer={kernel_initializer!r}"
            )
        self.kernel_initializer = kernel_initializer
        self.epsilon = epsilon
        self.additive_epsilon = additive_epsilon
        self.spectral_norm = spectral_norm

    def add_kernel(self, shape: tuple[int, ...], singular_axis: int = -1) -> None:
        """Creates the kernel and u, which has the size of `singular_axis` (first or last) of the kernel."""
        self.singular_axis = singular_axis
        wide = accumulation_dtype(self.compute_dtype)
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=INITIALIZERS[self.kernel_initializer](),
            dtype=wide,
            autocast=False,
        )
        self.u: Any = None
        if not self.spectral_norm:
            return
        # All replicas hold the same W and u, hence compute the same next u: the first one's is everyone's.
        self.u = self.add_weight(
            name="u",
            shape=(1, shape[singular_axis]),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
            dtype=wide,
            autocast=False,
            aggregation="only_first_replica",
        )

    def singular_value(self, training: bool = False) -> Any:
        """Sigma of the kernel by one power iteration from u, which moves if `training`."""
        kernel = ops.convert_to_tensor(self.kernel)
        if self.singular_axis == 0:
            matrix = ops.transpose(ops.reshape(kernel, (kernel.shape[0], math.prod(kernel.shape[1:]))))
        else:
            matrix = ops.reshape(kernel, (math.prod(kernel.shape[:-1]), kernel.shape[-1]))
        additive = self.additive_epsilon and training
        sigma, u = spectral.singular_value(matrix, ops.convert_to_tensor(self.u), self.epsilon, additive)
        if training:
            self.u.assign(u)
        return sigma

    def normalised_kernel(self, training: bool = False) -> Any:
        """W / sigma in the compute dtype."""
        kernel = ops.convert_to_tensor(self.kernel)
        if self.spectral_norm:
            # Not a division: its gradient would pass over the kernel three times more.
            kernel = kernel * (1.0 / self.singular_value(training))
        return ops.cast(kernel, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_initializer": self.kernel_initializer,
            "epsilon": self.epsilon,
            "additive_epsilon": self.additive_epsilon,
            "spectral_norm": self.spectral_norm,
        }
