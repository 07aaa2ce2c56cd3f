"""A table of class embeddings: the generator's shared one, or the discriminator's with spectral norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.types import Embeddings, InputShape, Labels, Shape, Tensor

# The class of each row, or a row of weights for all classes of each.
Classes: TypeAlias = Labels | Float[Tensor, "N classes"]


@keras.saving.register_keras_serializable("biggan_tf")
class ClassEmbedding(SpectralNormLayer):
    """Looks integer labels up in a table with a row for each class, or mixes its rows by weights.

    Args:
        num_classes: The number of rows.
        dim: The length of a row.
        spectral_norm: A `SpectralNormOptions`, or the dict of its fields that `get_config` returns; None takes its
            defaults. The generator's shared embedding sets `enabled=False`.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> ClassEmbedding(10, 4)(keras.ops.array([1, 2])).shape
        (2, 4)
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(spectral_norm, **kwargs)
        self.num_classes = num_classes
        self.dim = dim

    def build(self, input_shape: InputShape | None = None) -> None:
        self.add_kernel((self.num_classes, self.dim), singular_axis=0)

    def call(self, labels: Classes, training: bool = False) -> Embeddings:
        """Looks up rows.

        Args:
            labels: The class of each row, or a row of weights for all classes of each.
            training: Whether spectral norm's u is moved.
        """
        labels = ops.convert_to_tensor(labels)
        if keras.backend.is_float_dtype(keras.backend.standardize_dtype(labels.dtype)):
            rows = ops.matmul(ops.cast(labels, self.kernel.dtype), self.kernel)
        else:
            rows = ops.take(self.kernel, ops.cast(labels, "int32"), axis=0)
        if self.spectral_norm.enabled:
            # Only the rows that were looked up are divided; the table mostly has many more.
            rows = rows / self.singular_value(training)
        return ops.cast(rows, self.compute_dtype)

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        # Labels are [N], and rows of weights for all classes are [N, classes].
        return (input_shape[0], self.dim)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "dim": self.dim}
