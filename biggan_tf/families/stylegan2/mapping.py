"""The mapping network: from a latent, a class or both to a style (arXiv:1912.04958, figure 2)."""

from __future__ import annotations

from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.layers.equalised import EqualisedDense
from biggan_tf.ops.activations import normalise_second_moment
from biggan_tf.types import Embeddings, InputShape, Latents, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class Mapping(keras.layers.Layer):
    """Layers of one width, whose inputs are normalised: [z, y] -> w.

    Args:
        units: The width of all layers.
        num_layers: How many there are.
        rate_multiplier: The factor of their learning rate; the paper's is 0.01.
        divides_kernels: Whether spectral norm divides their kernels.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(
        self,
        units: int,
        num_layers: int = 8,
        rate_multiplier: float = 0.01,
        divides_kernels: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.num_layers = num_layers
        self.rate_multiplier = rate_multiplier
        self.divides_kernels = divides_kernels
        self.layers = [
            EqualisedDense(
                units,
                "leaky_relu",
                rate_multiplier=rate_multiplier,
                divides_kernel=divides_kernels,
                name=f"dense_{i}",
                dtype=self.dtype_policy,
            )
            for i in range(num_layers)
        ]

    def build(self, input_shape: InputShape) -> None:
        shape: Shape = tuple(input_shape)
        for layer in self.layers:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, x: Float[Tensor, "N I"], training: bool = False) -> Float[Tensor, "N V"]:
        for layer in self.layers:
            x = layer(x, training=training)
        return x

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "rate_multiplier": self.rate_multiplier,
            "divides_kernels": self.divides_kernels,
        }


def normalised_inputs(z: Latents | None, embedding: Embeddings | None) -> Float[Tensor, "N I"]:
    """The latent and the class embedding, each divided by the root of its mean square, next to each other."""
    given = [normalise_second_moment(x) for x in (z, embedding) if x is not None]
    return given[0] if len(given) == 1 else ops.concatenate(given, axis=1)
