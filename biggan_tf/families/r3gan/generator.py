"""R3GAN's generator (Huang et al. 2024, arXiv:2501.05441, section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import generator as contract
from biggan_tf.contracts.input_checks import class_weights
from biggan_tf.families.r3gan.blocks import Bottleneck, PlainConvolution, PlainLinear, Transition, block_gain
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.ops.precision import accumulation_dtype, widen
from biggan_tf.types import Embeddings, Images, InputShape, Labels, Latents, RowKeys, Shape, Tensor, Truncation


class JoinedInputs(NamedTuple):
    """What steers an R3GAN: its first layer alone.

    Attributes:
        x: The latent and the class embedding, next to each other.
    """

    x: Float[Tensor, "N V"]


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "R3GANGenerator")
class Generator(contract.Generator):
    """Maps latents [N, z_dim] and class embeddings [N, class_dim] to images [N, R, R, 3].

    The images have no last activation, so single values may lie outside of [-1, 1].

    Parameters (networks_test.py counts them): 20,781,952 for CIFAR-10 with classes, 103,570,432 for ImageNet at 64.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Example:
        >>> generator = Generator(R3GANConfig(num_classes=10))
        >>> images = generator((z, generator.embed(labels)))
    """

    config: R3GANConfig

    def __init__(self, config: R3GANConfig | Mapping[str, object], **kwargs: Any):
        self.config = precision.network_config(R3GANConfig, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.build(self.input_shapes)

    @property
    def embedding_dim(self) -> int:
        return self.config.class_dim if self.config.num_classes else 0

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        wide = accumulation_dtype(self.compute_dtype)
        self.class_embedding = None
        if model.num_classes:
            self.class_embedding = PlainLinear(model.class_dim, name="class_embedding", dtype=wide)
            self.class_embedding.build((None, model.num_classes))
        self.basis = self.add_weight(
            name="basis",
            shape=(4, 4, model.widths[0]),
            initializer=keras.initializers.RandomNormal(0.0, 1.0),
            dtype=wide,
            autocast=False,
        )
        self.dense = PlainLinear(model.widths[0], name="dense", dtype=wide)
        self.dense.build((None, model.z_dim + self.embedding_dim))
        gain = block_gain(sum(model.blocks))
        self.stages: list[tuple[Transition | None, list[Bottleneck]]] = []
        shape: Shape = (None, 4, 4, model.widths[0])
        for number, width in enumerate(model.widths):
            dtype = wide if number < model.wide_stages else self.dtype_policy
            size = 4 * 2**number
            transition = None
            if number:
                transition = Transition(width, double=True, name=f"doubling_to_{size}", dtype=dtype)
                transition.build(shape)
                shape = transition.compute_output_shape(shape)
            blocks = []
            for index in range(model.blocks[number]):
                groups, name = model.cardinalities[number], f"block_{size}_{index}"
                block = Bottleneck(model.expansion, groups, gain, name=name, dtype=dtype)
                block.build(shape)
                blocks.append(block)
            self.stages.append((transition, blocks))
            layers: list[keras.layers.Layer] = [*blocks] if transition is None else [transition, *blocks]
            for layer in layers:
                setattr(self, layer.name, layer)  # A tuple in a list is not searched for layers.
        self.to_rgb = PlainConvolution(3, 1, name="to_rgb", dtype=self.dtype_policy)
        self.to_rgb.build(shape)
        self.built = True

    def embed(self, labels: Labels | Float[Tensor, "N classes"]) -> Embeddings:
        """Looks up the embeddings of classes; a row of weights for the classes gives a mixture of them."""
        if self.class_embedding is None:
            return super().embed(labels)
        return self.class_embedding(class_weights(labels, self.config.num_classes, self.class_embedding.compute_dtype))

    def styles(
        self,
        z: Latents,
        embedding: Embeddings | None = None,
        truncation: Truncation | None = None,
        training: bool = False,
    ) -> JoinedInputs:
        """Joins latents and class embeddings.

        Args:
            z: The latents.
            embedding: The embedding of the class of each row; None without classes.
            truncation: Has no influence: the latents are truncated already.
            training: Has no influence.
        """
        inputs = [ops.cast(x, self.dense.compute_dtype) for x in (self.with_codes(z), embedding) if x is not None]
        return JoinedInputs(inputs[0] if len(inputs) == 1 else ops.concatenate(inputs, axis=1))

    def synthesise(  # type: ignore[override] # it is called with styles of its own family alone
        self, styles: JoinedInputs, keys: RowKeys | None = None, training: bool = False
    ) -> Images:
        """Computes images: a learned 4x4 basis times a linear map of the styles, then stage by stage.

        Args:
            styles: What `styles` returned.
            keys: Have no influence: there is no noise.
            training: Has no influence.
        """
        x = ops.cast(self.basis, self.dense.compute_dtype)[None] * self.dense(styles.x)[:, None, None, :]
        for transition, blocks in self.stages:
            if transition is not None:
                x = transition(x)
            for block in blocks:
                x = block(x)
        return widen(self.to_rgb(x))

    def kernels_left_alone(self) -> list[keras.Variable]:
        """The class embedding."""
        return [] if self.class_embedding is None else [self.class_embedding.kernel]

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
