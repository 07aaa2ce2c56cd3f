"""The half of a StyleGAN's generator in front of the synthesis: from latents and classes to a style for each layer."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, TypeAlias

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts.input_checks import class_weights
from biggan_tf.contracts.style_generator import StyleGenerator
from biggan_tf.families.stylegan2.config import StyleConfig
from biggan_tf.families.stylegan2.mapping import Mapping, normalised_inputs
from biggan_tf.layers.equalised import EqualisedDense
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.ops.replicas import mean_over_replicas
from biggan_tf.types import Count, Embeddings, Latents, Tensor, Truncation

Vectors: TypeAlias = Float[Tensor, "N V"]


class LayerStyles(NamedTuple):
    """What steers the layers of a StyleGAN.

    Attributes:
        ws: The style of each layer. They are the same for all layers, unless styles are mixed or truncated up to a
            layer.
    """

    ws: Float[Tensor, "N layers V"]


class Generator(StyleGenerator):
    """What the generators of StyleGAN2 and StyleGAN3 share: the mapping network, the mean style and its truncation.

    A subclass names the type of its configuration, calls `build_mapping` first in its `build`, and defines
    `synthesise` and `modulations`.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.
    """

    config: StyleConfig
    config_type: ClassVar[type[StyleConfig]]

    def __init__(self, config: StyleConfig | dict[str, Any], **kwargs: Any):
        self.config = precision.network_config(self.config_type, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.build(self.input_shapes)

    @property
    def embedding_dim(self) -> int:
        return self.config.w_dim if self.config.num_classes else 0

    def build_mapping(self) -> None:
        """Creates the layers and variables of this half."""
        model = self.config
        wide = accumulation_dtype(self.compute_dtype)
        self.class_embedding = None
        if model.num_classes:
            self.class_embedding = EqualisedDense(model.w_dim, name="class_embedding", dtype=wide)
            self.class_embedding.build((None, model.num_classes))
        self.mapping = Mapping(model.w_dim, model.mapping_layers, name="mapping", dtype=wide)
        self.mapping.build((None, model.z_dim + self.embedding_dim))
        self.mean_w = self.add_weight(
            name="mean_w",
            shape=(model.w_dim,),
            initializer="zeros",
            trainable=False,
            dtype=wide,
            autocast=False,
            aggregation="mean",
        )

    def embed(self, labels: Tensor) -> Embeddings:
        """The embeddings of classes.

        Args:
            labels: The class of each row, or a row of weights for the classes of each.
        """
        if self.class_embedding is None:
            return super().embed(labels)
        weights = class_weights(labels, self.config.num_classes, self.class_embedding.compute_dtype)
        return self.class_embedding(weights)

    def kernels_left_alone(self) -> list[keras.Variable]:
        """The class embedding."""
        return [] if self.class_embedding is None else [self.class_embedding.kernel]

    def styles(
        self,
        z: Latents,
        embedding: Embeddings | None = None,
        truncation: Truncation | None = None,
        training: bool = False,
    ) -> LayerStyles:
        """Maps latents to styles, the same for all layers, and truncates them towards the mean style.

        Args:
            z: The latents.
            embedding: The embedding of the class of each row; None without classes.
            truncation: psi of w' = mean + psi (w - mean) (arXiv:1812.04948, appendix B), for each row or for all; None:
                1. The configuration says up to which layer.
            training: Whether the running mean of w is moved.
        """
        w = self.map(z, embedding)
        if training:
            # mean_w <- decay * mean_w + (1 - decay) * mean over the batch
            batch_mean = mean_over_replicas(ops.mean(w, axis=0))
            decay = self.config.mean_w_decay
            self.mean_w.assign(ops.stop_gradient(batch_mean + decay * (self.mean_w - batch_mean)))
        ws = ops.repeat(w[:, None], self.config.num_styles, axis=1)
        return LayerStyles(ws if truncation is None else self.truncated(ws, truncation))

    def map(self, z: Latents, embedding: Embeddings | None = None) -> Vectors:
        """The styles w of latents and class embeddings."""
        wide = self.mapping.compute_dtype
        z = self.with_codes(z)
        return self.mapping(
            normalised_inputs(ops.cast(z, wide), None if embedding is None else ops.cast(embedding, wide))
        )

    def styles_from(self, ws: Float[Tensor, "N layers V"]) -> LayerStyles:
        return LayerStyles(ws)

    @property
    def default_cutoff(self) -> int | None:
        return self.config.truncation_cutoff

    @property
    def num_styles(self) -> int:
        return self.config.num_styles

    def mixed(  # type: ignore[override] # it is called with styles of its own family alone
        self, first: LayerStyles, second: LayerStyles, cutoff: Count | int
    ) -> LayerStyles:
        """LayerStyles of `first` in the layers before `cutoff`, and of `second` from there on."""
        layers = ops.arange(self.config.num_styles)[None, :, None]
        return LayerStyles(ops.where(layers < cutoff, first.ws, second.ws))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
