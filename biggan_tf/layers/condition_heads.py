"""Heads of a discriminator that conditions ask (`contracts.condition`): class logits, embeddings, guesses of codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.discriminator import LinearLayer
from biggan_tf.contracts.input_checks import class_weights
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.types import Activations, Features, InputShape, Tensor

# Names of answers.
CLASS_LOGITS, EMBEDDING, PROXY, CODES = "class_logits", "embedding", "proxy", "codes"
VIEW_EMBEDDING, FAKE_EMBEDDING = "view_embedding", "fake_embedding"
IMAGE_EMBEDDING, PLACE_EMBEDDINGS = "image_embedding", "place_embeddings"


class LinearHead(keras.layers.Layer):
    """Features to some answers, each by a linear layer of its own: A(x) = W h(x) + b.

    Args:
        layers: The linear layer of each answer.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, layers: Mapping[str, keras.layers.Layer], **kwargs: Any):
        super().__init__(**kwargs)
        self.layers = dict(layers)

    def build(
        self, features_shape: InputShape, feature_map_shape: InputShape, labels_shape: InputShape | None = None
    ) -> None:
        for layer in self.layers.values():
            layer.build(tuple(features_shape))

    def call(
        self, features: Features, feature_map: Activations, labels: Tensor | None = None, training: bool = False
    ) -> dict[str, Tensor]:
        return {answer: applied(layer, features, training) for answer, layer in self.layers.items()}


class ProxyHead(keras.layers.Layer):
    """Features to an embedding, e(x) = W h(x) + b, beside the embedding of the row's class, its proxy.

    Losses look at directions alone, so that spectral norm would not change a proxy.

    Args:
        num_classes: How many proxies there are.
        dim: Values of an embedding.
        linear: Creates the linear layer.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, num_classes: int, dim: int, linear: LinearLayer, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes, self.dim = num_classes, dim
        self.linear = linear(dim, True, "linear")

    def build(
        self, features_shape: InputShape, feature_map_shape: InputShape, labels_shape: InputShape | None = None
    ) -> None:
        self.linear.build(tuple(features_shape))
        self.proxies = self.add_weight(
            name="proxies",
            shape=(self.num_classes, self.dim),
            initializer="orthogonal",
            dtype=accumulation_dtype(self.compute_dtype),
            autocast=False,
        )

    def call(
        self, features: Features, feature_map: Activations, labels: Tensor | None = None, training: bool = False
    ) -> dict[str, Tensor]:
        answers = {EMBEDDING: applied(self.linear, features, training)}
        if labels is not None:
            weights = class_weights(labels, self.num_classes, self.proxies.dtype)
            answers[PROXY] = ops.matmul(weights, ops.convert_to_tensor(self.proxies))
        return answers

    def kernels_left_alone(self) -> list[keras.Variable]:
        """The proxies, see `contracts.discriminator.Discriminator.kernels_left_alone`."""
        return [self.proxies]


class PlacesHead(keras.layers.Layer):
    """Features to an embedding of the image, and each place of the feature map to one, by a linear layer each.

    Args:
        dim: Values of an embedding.
        linear: Creates the linear layers.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.
    """

    def __init__(self, dim: int, linear: LinearLayer, **kwargs: Any):
        super().__init__(**kwargs)
        self.dim = dim
        self.image, self.place = linear(dim, True, "image"), linear(dim, True, "place")

    def build(
        self, features_shape: InputShape, feature_map_shape: InputShape, labels_shape: InputShape | None = None
    ) -> None:
        self.image.build(tuple(features_shape))
        self.place.build((None, feature_map_shape[-1]))

    def call(
        self, features: Features, feature_map: Activations, labels: Tensor | None = None, training: bool = False
    ) -> dict[str, Tensor]:
        _, height, width, channels = feature_map.shape
        places = applied(self.place, ops.reshape(feature_map, (-1, channels)), training)
        return {
            IMAGE_EMBEDDING: applied(self.image, features, training),
            PLACE_EMBEDDINGS: ops.reshape(places, (-1, height * width, self.dim)),
        }


def applied(linear: keras.layers.Layer, features: Features, training: bool) -> Float[Tensor, "N O"]:
    """A linear layer's result in its accumulation dtype; in training a spectral norm's u moves.

    Args:
        linear: The layer.
        features: What it is given.
        training: Whether this is a call in training.
    """
    return widen(linear(features, training=training))
