"""BigGAN's and BigGAN-deep's generator."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from biggan_tf import precision
from biggan_tf.config import ModelConfig, from_dict, to_dict
from biggan_tf.layers.attention import SelfAttention
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.deep_generator_block import DeepGeneratorBlock
from biggan_tf.layers.dense import SNDense
from biggan_tf.layers.embedding import ClassEmbedding
from biggan_tf.layers.generator_block import GeneratorBlock
from biggan_tf.networks.architecture import BOTTOM_SIZE, Stage, generator_stages
from biggan_tf.networks.conventions import conventions_of
from biggan_tf.networks.input_checks import check_labels, check_rank
from biggan_tf.ops.precision import accumulation_dtype, widen


@keras.saving.register_keras_serializable("biggan_tf")
class Generator(keras.Model):
    """Latent and class embedding to images: [N, z_dim], [N, embedding_dim] -> [N, R, R, 3] in [-1, 1].

    Images are float32, or float64 under that policy.

    The class arrives embedded, so that a caller can interpolate between classes or mix them; `embed` looks labels up.
    Parameters (tests/biggan_tf/networks): BigGAN-128 70,433,988; 256 82,097,604; 512 82,468,068; deep-128 50,244,484.

    Args:
        config: A `ModelConfig`, or the dict that `get_config` made of one.
        num_statistics: Sets of batch statistics for a grid of truncations; 1: the running ones of training.

    Example:
        >>> generator = Generator(ModelConfig(resolution=32, z_dim=128))
        >>> images = generator((z, generator.embed(labels)), training=False)
    """

    def __init__(self, config: ModelConfig | dict[str, Any], num_statistics: int = 1, **kwargs: Any):
        model = config if isinstance(config, ModelConfig) else from_dict(ModelConfig, config)
        self.model_config = precision.resolved(model)
        kwargs.setdefault("dtype", self.model_config.policy)
        super().__init__(**kwargs)
        self.num_statistics = num_statistics
        model = self.model_config
        self.conventions = conventions_of(model)
        self.stages = generator_stages(model)
        self._normalised: dict[str, Any] = {
            "kernel_initializer": model.initializer,
            "epsilon": self.conventions.spectral_norm_epsilon,
            "additive_epsilon": self.conventions.additive_epsilon,
        }
        self._norm: dict[str, Any] = {
            "gain_base": self.conventions.gain_base,
            "batch_norm": {
                "epsilon": self.conventions.batch_norm_epsilon,
                "unbiased": self.conventions.unbiased_running_variance,
                "momentum": model.batch_norm_momentum,
                "group_size": model.batch_norm_group_size,
                "num_statistics": num_statistics,
            },
            "dense": self._normalised,
        }
        self.build()

    @property
    def latent_chunk_sizes(self) -> list[int]:
        """Columns of z that the first layer and then each block sees; deep and flat: the first layer sees all."""
        z_dim = self.model_config.z_dim
        if self.model_config.hierarchical and not self.model_config.is_deep:
            return [z_dim // (len(self.stages) + 1)] * (len(self.stages) + 1)
        return [z_dim]

    def build(self, input_shape: Any = None) -> None:
        """Builds all layers; the configuration tells every shape."""
        model = self.model_config
        embedding_dim = model.embedding_dim if model.num_classes else 0
        if model.num_classes:
            self.class_embedding = ClassEmbedding(
                model.num_classes,
                model.embedding_dim,
                kernel_initializer=model.initializer,
                spectral_norm=False,
                dtype=accumulation_dtype(self.compute_dtype),
                name="class_embedding",
            )
            self.class_embedding.build()
        condition = embedding_dim
        first = self.latent_chunk_sizes[0]
        if model.hierarchical and model.is_deep:
            condition = first = model.z_dim + embedding_dim
        elif model.hierarchical:
            condition = embedding_dim + first
        bottom = self.stages[0].in_channels
        self.linear = SNDense(BOTTOM_SIZE**2 * bottom, name="linear", dtype=self.dtype_policy, **self._normalised)
        self.linear.build((None, first))
        self.blocks = [
            self._stage(i, stage, (None, condition) if condition else None) for i, stage in enumerate(self.stages)
        ]
        last = self.stages[-1].out_channels
        shape = (None, model.resolution, model.resolution, last)
        self.final_norm = ConditionalBatchNorm(name="final_norm", dtype=self.dtype_policy, **self._last_norm())
        self.final_norm.build(shape)
        full = self.conventions.full_rgb_kernel and model.is_deep
        self.to_rgb = SNConv2D(
            last if full else 3,
            3,
            used_filters=3 if full else None,
            name="to_rgb",
            dtype=self.dtype_policy,
            **self._normalised,
        )
        self.to_rgb.build(shape)
        self.built = True

    def _last_norm(self) -> dict[str, Any]:
        epsilon = self.conventions.last_batch_norm_epsilon
        if epsilon is None:
            return self._norm
        return {**self._norm, "batch_norm": {**self._norm["batch_norm"], "epsilon": epsilon}}

    def _stage(self, index: int, stage: Stage, condition_shape: tuple[Any, ...] | None) -> list[Any]:
        """The layers of a stage: one block, or two in the deep network, then attention if there is any."""
        upsampling = self.conventions.upsampling if stage.resample else None
        options: dict[str, Any] = {
            "fused": self.model_config.fused_resampling,
            "convolution": self._normalised,
            "norm": self._norm,
            "dtype": self.dtype_policy,
        }
        name = f"stage_{index + 1}"
        if self.model_config.is_deep:
            layers: list[Any] = [
                DeepGeneratorBlock(stage.in_channels, None, name=f"{name}_block_1", **options),
                DeepGeneratorBlock(stage.out_channels, upsampling, name=f"{name}_block_2", **options),
            ]
        else:
            layers = [GeneratorBlock(stage.out_channels, upsampling, name=f"{name}_block", **options)]
        size = stage.size // 2 if stage.resample else stage.size
        shape: tuple[Any, ...] = (None, size, size, stage.in_channels)
        for layer in layers:
            layer.build(shape, condition_shape)
            shape = layer.compute_output_shape(shape)
        if stage.attention:
            layers.append(
                SelfAttention(convolution=self._normalised, name=f"{name}_attention", dtype=self.dtype_policy)
            )
            layers[-1].build(shape)
        return layers

    def embed(self, labels: Any) -> Any:
        """Integer labels [N] to class embeddings [N, embedding_dim]."""
        if not self.model_config.num_classes:
            raise ValueError(
                "An unconditional generator has no class embedding. Received: labels; call it with z alone."
            )
        check_labels(labels, self.model_config.num_classes)
        return self.class_embedding(labels)

    def call(self, inputs: Any, training: bool = False, truncation: Any = None) -> Any:
        z, embedding = self._unpack(inputs)
        return self.synthesise(self.first_input(z, embedding), self.conditions(z, embedding), training, truncation)

    def synthesise(self, first: Any, conditions: list[Any], training: bool = False, truncation: Any = None) -> Any:
        """What the layers see to images.

        Args:
            first: [N, D], what the first layer sees; `first_input` takes it from z and the embedding.
            conditions: What the batch norms of each stage, and the last one, see; `conditions` makes them.
            training: Whether batch norms take their batch's moments and spectral norms advance u.
            truncation: None or [N]: where in the grid of standing statistics each row is.
        """
        *of_stages, of_last = conditions
        x = self.linear(first, training=training)
        x = ops.reshape(x, (-1, BOTTOM_SIZE, BOTTOM_SIZE, self.stages[0].in_channels))
        for layers, condition in zip(self.blocks, of_stages, strict=True):
            for layer in layers:
                if isinstance(layer, SelfAttention):
                    x = layer(x, training=training)
                else:
                    x = layer(x, condition, training=training, truncation=truncation)
        x = ops.relu(self.final_norm(x, of_last, training=training, truncation=truncation))
        return ops.tanh(widen(self.to_rgb(x, training=training)))

    def _unpack(self, inputs: Any) -> tuple[Any, Any]:
        z, embedding = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        check_rank("z", z, 2, self.model_config.z_dim)
        z = ops.cast(z, self.compute_dtype)
        if not self.model_config.num_classes:
            if embedding is not None:
                raise ValueError("An unconditional generator must be called with z alone. Received: a class embedding.")
            return z, None
        if embedding is None:
            raise ValueError(
                "A conditional generator must be called with (z, embedding). Received: z alone; "
                "pass generator.embed(labels) beside it."
            )
        check_rank("embedding", embedding, 2, self.model_config.embedding_dim)
        return z, ops.cast(embedding, self.compute_dtype)

    def _join(self, z: Any, embedding: Any) -> Any:
        if embedding is None:
            return z
        parts = [z, embedding] if self.conventions.latent_first else [embedding, z]
        return ops.concatenate(parts, axis=-1)

    def first_input(self, z: Any, embedding: Any) -> Any:
        """What the first layer sees: a chunk of z, all of z, or (deep) z beside the embedding."""
        if self.model_config.hierarchical and self.model_config.is_deep:
            return self._join(z, embedding)
        return z[:, : self.latent_chunk_sizes[0]]

    def conditions(self, z: Any, embedding: Any) -> list[Any]:
        """What each stage's batch norms see, and then the last batch norm: nothing."""
        if not self.model_config.hierarchical:
            return [embedding] * len(self.stages) + [None]
        if self.model_config.is_deep:
            return [self._join(z, embedding)] * len(self.stages) + [None]
        size = self.latent_chunk_sizes[0]
        chunks = [z[:, size * (i + 1) : size * (i + 2)] for i in range(len(self.stages))]
        return [self._join(chunk, embedding) for chunk in chunks] + [None]

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        batch = input_shape[0][0] if isinstance(input_shape[0], tuple | list) else input_shape[0]
        return (batch, self.model_config.resolution, self.model_config.resolution, 3)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.model_config), "num_statistics": self.num_statistics}
