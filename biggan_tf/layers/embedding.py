"""Class embeddings: the generator's shared one, and the discriminator's with spectral norm."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.layers.spectral_norm import SpectralNormLayer


@keras.saving.register_keras_serializable("biggan_tf")
class ClassEmbedding(SpectralNormLayer):
    """Integer labels to rows of a [num_classes, dim] table.

    Args:
        num_classes: Rows.
        dim: Columns.
        **kwargs: See `SpectralNormLayer`; `spectral_norm=False` for the generator's shared embedding.

    Example:
        >>> ClassEmbedding(10, 4)(keras.ops.array([1, 2])).shape
        (2, 4)
    """

    def __init__(self, num_classes: int, dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.dim = dim

    def build(self, input_shape: tuple[Any, ...] | None = None) -> None:
        self.add_kernel((self.num_classes, self.dim), singular_axis=0)

    def call(self, labels: Any, training: bool = False) -> Any:
        rows = ops.take(self.kernel, ops.cast(labels, "int32"), axis=0)
        if self.spectral_norm:
            rows = rows / self.singular_value(training)
        return ops.cast(rows, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*input_shape, self.dim)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "dim": self.dim}
