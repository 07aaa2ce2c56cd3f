"""The discriminator's last layers (Miyato and Koyama 2018, arXiv:1802.05637, equation 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.dense import SNDense
from biggan_tf.layers.embedding import ClassEmbedding, Classes
from biggan_tf.ops.channels import num_channels
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import Activations, Features, InputShape, Logits, Shape


@keras.saving.register_keras_serializable("biggan_tf")
class ProjectionHead(keras.layers.Layer):
    """Turns activations and labels into logits: a linear layer, plus the projection onto the class's embedding.

    With phi the sum over all positions of ReLU(x), psi an `SNDense` and v_y the row of class y in a `ClassEmbedding`,

        logit = v_y^T phi(x) + psi(phi(x))

    It is computed in float32, or in float64 under that policy.

    Args:
        num_classes: How many classes there are; 0 leaves the projection out, and labels are not looked at.
        spectral_norm: A `SpectralNormOptions` for both layers, or the dict of its fields that `get_config` returns;
            None takes its defaults.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> ProjectionHead(10)(keras.ops.ones((2, 4, 4, 8)), keras.ops.array([3, 7])).shape
        (2,)
    """

    def __init__(
        self,
        num_classes: int = 0,
        spectral_norm: SpectralNormOptions | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.spectral_norm = SpectralNormOptions.of(spectral_norm)
        self._wide = accumulation_dtype(self.compute_dtype)
        self.linear = SNDense(1, spectral_norm=self.spectral_norm, name="linear", dtype=self._wide)

    def build(self, x_shape: InputShape, labels_shape: InputShape | None = None) -> None:
        channels = num_channels(x_shape)
        self.linear.build((None, channels))
        if self.num_classes:
            self.embedding = ClassEmbedding(
                self.num_classes, channels, spectral_norm=self.spectral_norm, name="embedding", dtype=self._wide
            )
            self.embedding.build((None,))

    def call(self, x: Activations, labels: Classes | None = None, training: bool = False) -> Logits:
        return self.logits(self.features(x), labels, training)

    def features(self, x: Activations) -> Features:
        """What the logits are computed from: phi(x) = sum over positions of ReLU(x)."""
        return ops.sum(ops.relu(ops.cast(x, self._wide)), axis=(1, 2))

    def logits(self, features: Features, labels: Classes | None = None, training: bool = False) -> Logits:
        """The logits of `features` and of classes, or of a row of weights for all classes each."""
        # psi(phi(x))
        logits = self.linear(features, training=training)[:, 0]
        if self.num_classes:
            # v_y^T phi(x)
            logits = logits + ops.sum(self.embedding(labels, training=training) * features, axis=-1)
        return logits

    def compute_output_shape(self, x_shape: InputShape, labels_shape: InputShape | None = None) -> Shape:
        return (x_shape[0],)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "spectral_norm": self.spectral_norm.to_dict(),
        }
