"""The generators of BigGAN and BigGAN-deep (Brock et al. 2018, arXiv:1809.11096, appendix B)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import generator as contract
from biggan_tf.contracts.input_checks import are_weights, check_labels, class_weights
from biggan_tf.families.biggan.blocks import DeepGeneratorBlock, GeneratorBlock, NormInputs
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.tables import BOTTOM_SIZE, Level, generator_levels
from biggan_tf.families.biggan.variants import variant_of
from biggan_tf.layers.attention import SelfAttention
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.dense import SNDense
from biggan_tf.layers.embedding import ClassEmbedding
from biggan_tf.layers.singular_values import singular_values
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.types import (
    Embeddings,
    Images,
    InputShape,
    Latents,
    RowKeys,
    Scalar,
    Shape,
    Tensor,
    Truncation,
)


class Styles(NamedTuple):
    """What steers the layers of a BigGAN.

    Attributes:
        first: The input of the first linear layer: a chunk of z, all of z, or (deep) z and the class embedding.
        conditions: What the batch norms of each level are given, and then what the last batch norm is, which is None.
            In a folded generator a list of the scales and shifts of all batch norms stands in the place of each.
        truncation: How far the latents were truncated, for batch norms that hold moments for several truncations;
            None: they were not truncated.
    """

    first: Float[Tensor, "N first"]
    conditions: tuple[NormInputs | None, ...]
    truncation: Truncation | None


@keras.saving.register_keras_serializable("biggan_tf")
class Generator(contract.Generator):
    """Maps latents [N, z_dim] and class embeddings [N, embedding_dim] to images [N, R, R, 3] in [-1, 1].

    Images are float32, or float64 under that dtype policy.

    The class is given as an embedding and not as a label, so that a caller can interpolate between classes or mix them;
    `embed` looks labels up.

    Parameters (cost_test.py counts them): BigGAN-128 70,433,988; 256 82,097,604; 512 82,468,068; deep-128 50,244,484.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        num_statistics: For how many truncations, evenly over 0 ... 1, each batch norm holds moments; 1, the default:
            it holds the running moments of training.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Example:
        >>> generator = Generator(BigGANConfig(resolution=32, z_dim=128))
        >>> images = generator((z, generator.embed(labels)), training=False)
    """

    config: BigGANConfig

    def __init__(self, config: BigGANConfig | Mapping[str, object], num_statistics: int = 1, **kwargs: Any):
        self.config = precision.network_config(BigGANConfig, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.num_statistics = num_statistics
        model = self.config
        self.variant = variant_of(model)
        self.levels = generator_levels(model)
        self._spectral_norm = self.variant.spectral_norm_options(model)
        self._batch_norm = self.variant.batch_norm_options(model, num_statistics)
        self.build(self.input_shapes)

    @property
    def embedding_dim(self) -> int:
        return self.config.embedding_dim if self.config.num_classes else 0

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        embedding_dim = model.embedding_dim if model.num_classes else 0
        if model.num_classes:
            self.class_embedding = ClassEmbedding(
                model.num_classes,
                model.embedding_dim,
                spectral_norm=self.variant.spectral_norm_options(model, enabled=False),
                dtype=accumulation_dtype(self.compute_dtype),
                name="class_embedding",
            )
            self.class_embedding.build((None,))
        condition = embedding_dim
        first = self.config.latent_levels()[0]
        if model.hierarchical and model.is_deep:
            condition = first = model.z_dim + embedding_dim
        elif model.hierarchical:
            condition = embedding_dim + first
        bottom = self.levels[0].in_channels
        self.linear = SNDense(
            BOTTOM_SIZE**2 * bottom, spectral_norm=self._spectral_norm, name="linear", dtype=self.dtype_policy
        )
        self.linear.build((None, first))
        self.blocks = [
            self._level(i, level, (None, condition) if condition else None) for i, level in enumerate(self.levels)
        ]
        last = self.levels[-1].out_channels
        shape = (None, model.resolution, model.resolution, last)
        self.final_norm = ConditionalBatchNorm(
            self.variant.gain_base,
            self.variant.last_batch_norm_options(model, self.num_statistics),
            self._spectral_norm,
            name="final_norm",
            dtype=self.dtype_policy,
        )
        self.final_norm.build(shape)
        full = self.variant.full_rgb_kernel and model.is_deep
        self.to_rgb = SNConv2D(
            last if full else 3,
            3,
            used_filters=3 if full else None,
            spectral_norm=self._spectral_norm,
            name="to_rgb",
            dtype=self.dtype_policy,
        )
        self.to_rgb.build(shape)
        self.built = True

    def _level(self, index: int, level: Level, condition_shape: Shape | None) -> list[keras.layers.Layer]:
        """The layers of a level: one block, or two in the deep generator, and then self-attention if it has any."""
        upsampling = None
        if level.resample:
            upsampling = "filtered" if self.config.resampling == "filtered" else self.variant.upsampling
        options: dict[str, Any] = {
            "fused": self.config.fused_resampling,
            "gain_base": self.variant.gain_base,
            "spectral_norm": self._spectral_norm,
            "batch_norm": self._batch_norm,
            "dtype": self.dtype_policy,
        }
        name = f"stage_{index + 1}"
        if self.config.is_deep:
            layers: list[keras.layers.Layer] = [
                DeepGeneratorBlock(level.in_channels, None, name=f"{name}_block_1", **options),
                DeepGeneratorBlock(level.out_channels, upsampling, name=f"{name}_block_2", **options),
            ]
        else:
            layers = [GeneratorBlock(level.out_channels, upsampling, name=f"{name}_block", **options)]
        size = level.size // 2 if level.resample else level.size
        shape: Shape = (None, size, size, level.in_channels)
        for layer in layers:
            layer.build(shape, condition_shape)
            shape = layer.compute_output_shape(shape)
        if level.attention:
            layers.append(SelfAttention(self._spectral_norm, name=f"{name}_attention", dtype=self.dtype_policy))
            layers[-1].build(shape)
        return layers

    def embed(self, labels: Tensor) -> Embeddings:  # Labels, which are checked here
        """The embeddings of classes.

        Args:
            labels: The class of each row, or a row of weights for the classes of each.
        """
        if not self.config.num_classes:
            return super().embed(labels)
        if are_weights(labels, self.config.num_classes):
            labels = class_weights(labels, self.config.num_classes, self.class_embedding.compute_dtype)
        else:
            check_labels(labels, self.config.num_classes)
        return self.class_embedding(labels)

    def styles(
        self,
        z: Latents,
        embedding: Embeddings | None = None,
        truncation: Truncation | None = None,
        training: bool = False,
    ) -> Styles:
        """The chunks of z, each with the class embedding, for the levels that they steer (appendix B, figure 15)."""
        # Codes are taken before the cast: rounding could make two values equal, and another one the largest.
        z = ops.cast(self.with_codes(z), self.compute_dtype)
        embedding = None if embedding is None else ops.cast(embedding, self.compute_dtype)
        return Styles(self.first_input(z, embedding), self.conditions(z, embedding), truncation)

    def synthesise(  # type: ignore[override] # it is called with styles of its own family alone
        self, styles: Styles, keys: RowKeys | None = None, training: bool = False
    ) -> Images:
        """Computes images in [-1, 1]: linear layer, levels, batch norm, ReLU, convolution, tanh (tables 4 to 9)."""
        *of_levels, of_last = styles.conditions
        x = self.linear(styles.first, training=training)
        x = ops.reshape(x, (-1, BOTTOM_SIZE, BOTTOM_SIZE, self.levels[0].in_channels))
        for layers, condition in zip(self.blocks, of_levels, strict=True):
            for layer in layers:
                if isinstance(layer, SelfAttention):
                    x = layer(x, training=training)
                else:
                    x = layer(x, condition, training=training, truncation=styles.truncation)
        x = ops.relu(self.final_norm(x, of_last, training=training, truncation=styles.truncation))
        return ops.tanh(widen(self.to_rgb(x, training=training)))

    def health(self) -> dict[str, Scalar]:
        """The largest singular value of each kernel (arXiv:1809.11096, section 4.1)."""
        return singular_values(self)

    def kernels_left_alone(self) -> list[keras.Variable]:
        """The class embedding, which the orthogonal regularisation leaves out (arXiv:1809.11096, section 3.1)."""
        return [self.class_embedding.kernel] if self.config.num_classes else []

    def _join(self, z: Latents, embedding: Embeddings | None) -> Float[Tensor, "N D"]:
        if embedding is None:
            return z
        parts = [z, embedding] if self.variant.latent_first else [embedding, z]
        return ops.concatenate(parts, axis=-1)

    def first_input(self, z: Latents, embedding: Embeddings | None) -> Float[Tensor, "N first"]:
        """The input of the first linear layer: a chunk of z, all of z, or (deep) z and the class embedding."""
        z = self.with_codes(z)
        if self.config.hierarchical and self.config.is_deep:
            return self._join(z, embedding)
        return z[:, : self.config.latent_levels()[0]]

    def conditions(self, z: Latents, embedding: Embeddings | None) -> tuple[NormInputs | None, ...]:
        """What the batch norms of each level are given, and then what the last batch norm is, which is None."""
        if not self.config.hierarchical:
            return (embedding,) * len(self.levels) + (None,)
        z = self.with_codes(z)
        if self.config.is_deep:
            return (self._join(z, embedding),) * len(self.levels) + (None,)
        size = self.config.latent_levels()[0]
        chunks = [z[:, size * (i + 1) : size * (i + 2)] for i in range(len(self.levels))]
        return (*(self._join(chunk, embedding) for chunk in chunks), None)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config), "num_statistics": self.num_statistics}
