"""The discriminator's tail (Miyato and Koyama 2018, arXiv:1802.05637, equation 8)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf.layers.dense import SNDense
from biggan_tf.layers.embedding import ClassEmbedding
from biggan_tf.ops.precision import accumulation_dtype


@keras.saving.register_keras_serializable("biggan_tf")
class ProjectionHead(keras.layers.Layer):
    """h = sum over positions of ReLU(x); logit = SNDense(h) + <SNEmbedding(label), h>.

    Computed in float32, or in float64 under that policy.

    Args:
        num_classes: 0: no projection.
        normalised: Keyword arguments of the `SpectralNormLayer`s.

    Example:
        >>> ProjectionHead(10)(keras.ops.ones((2, 4, 4, 8)), keras.ops.array([3, 7])).shape
        (2,)
    """

    def __init__(self, num_classes: int = 0, normalised: dict[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.normalised = dict(normalised or {})
        self._wide = accumulation_dtype(self.compute_dtype)
        self.linear = SNDense(1, name="linear", dtype=self._wide, **self.normalised)

    def build(self, x_shape: tuple[Any, ...], labels_shape: tuple[Any, ...] | None = None) -> None:
        channels = x_shape[-1]
        self.linear.build((None, channels))
        if self.num_classes:
            self.embedding = ClassEmbedding(
                self.num_classes, channels, name="embedding", dtype=self._wide, **self.normalised
            )
            self.embedding.build()

    def call(self, x: Any, labels: Any = None, training: bool = False) -> Any:
        h = ops.sum(ops.relu(ops.cast(x, self._wide)), axis=(1, 2))  # [N, C]
        logits = self.linear(h, training=training)[:, 0]
        if self.num_classes:
            logits = logits + ops.sum(self.embedding(labels, training=training) * h, axis=-1)
        return logits

    def compute_output_shape(self, x_shape: tuple[Any, ...], labels_shape: Any = None) -> tuple[Any, ...]:
        return (x_shape[0],)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "normalised": self.normalised}
