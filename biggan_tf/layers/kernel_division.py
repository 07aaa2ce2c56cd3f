"""Spectral norm of a kernel that another layer holds."""

from __future__ import annotations

from typing import Any

import keras
from jaxtyping import Float

from biggan_tf.ops import spectral
from biggan_tf.ops.channels import num_channels
from biggan_tf.types import InputShape, Scalar, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class KernelDivision(keras.layers.Layer):
    """Divides a kernel by its largest singular value (Miyato et al. 2018, arXiv:1802.05957, equation 8).

    It is a part of a layer whose configuration chooses whether its kernel is divided. Layers that are made for spectral
    norm extend `SpectralNormLayer`, which holds u itself: a checkpoint has it next to their kernel, and the u of a
    division below a name of its own, so that one cannot take the place of the other.

    All axes of the kernel but that of the outputs, the last, are joined for the matrix whose singular value is taken.
    The vector u of the power iteration is advanced by every call with `training=True`, and left alone by the others.

    Args:
        epsilon: Keeps the divisions of the power iteration finite.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer. The dtype must be a wide one.

    Example:
        >>> KernelDivision()(kernel, training=True)  # [3, 3, I, O] -> [3, 3, I, O]
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, kernel_shape: InputShape) -> None:
        # All replicas compute the same next u, as in `SpectralNormLayer`.
        self.u = self.add_weight(
            name="u",
            shape=(1, num_channels(kernel_shape)),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    def call(self, kernel: Float[Tensor, "*S O"], training: bool = False) -> Float[Tensor, "*S O"]:
        return kernel * (1.0 / self.singular_value(kernel, training))

    def singular_value(self, kernel: Float[Tensor, "*S O"], training: bool = False) -> Scalar:
        """Sigma of the kernel, by one power iteration from u. Training moves u to where the iteration ended."""
        matrix = keras.ops.reshape(kernel, (-1, kernel.shape[-1]))
        sigma, u = spectral.singular_value(matrix, keras.ops.convert_to_tensor(self.u), self.epsilon)
        if training:
            self.u.assign(u)
        return sigma

    def compute_output_shape(self, kernel_shape: InputShape) -> Shape:
        return tuple(kernel_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
