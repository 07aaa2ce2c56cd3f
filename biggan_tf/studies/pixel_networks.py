"""The smallest networks that the package can train: their images are one pixel, a point with three coordinates.

Several studies ask what a loss does, and not what a convolution does. Clouds of points answer in seconds, and their
optimal transport, their densities and their details are known exactly. The two networks fill in the contracts of a
family, so that `training.gan.GAN` plays every game of the package with them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import ClassVar

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.config import checks
from biggan_tf.config.parts import FamilyConfig
from biggan_tf.contracts.discriminator import Discriminator, DiscriminatorInputs, Judgement
from biggan_tf.contracts.generator import Generator, Styles
from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.dense import SNDense
from biggan_tf.types import Embeddings, Features, Images, Latents, RowKeys, Tensor, Truncation

ACTIVATIONS = ("leaky_relu", "relu", "tanh")


@dataclasses.dataclass
class PixelConfig(FamilyConfig):
    """Both networks: dense layers of one width.

    Attributes:
        width: Values of a hidden layer.
        depth: Hidden layers of either network.
        activation: The activation of the hidden layers, one of `ACTIVATIONS`.
        gain: What the values of a hidden layer are multiplied by. The root of 2, the default, keeps the length of a
            vector that passes a ReLU and an orthogonal kernel.
        skips: Whether a hidden layer of the same width is added to its input, and the sum divided by the root of 2.
        chunks: How many values of z enter each hidden layer of the generator, in order; (): all enter the first.
    """

    kind: ClassVar[str] = "one_pixel"
    carries_heads: ClassVar[bool] = True
    has_norm_slots: ClassVar[bool] = True

    resolution: int = 1
    num_classes: int = 0
    z_dim: int = 4
    width: int = 64
    depth: int = 2
    activation: str = "leaky_relu"
    gain: float = math.sqrt(2.0)
    skips: bool = False
    chunks: tuple[int, ...] = ()

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, "model", 1, ("width", "depth"))
        yield from checks.choice("model.activation", self.activation, ACTIVATIONS)
        if self.chunks and (len(self.chunks) != self.depth or sum(self.chunks) != self.z_dim):
            yield (
                f"model.chunks must be {self.depth} numbers with the sum {self.z_dim}. Received: {self.chunks}; "
                "give one for each hidden layer."
            )
        if self.num_classes:
            yield f"model.num_classes must be 0. Received: {self.num_classes}; these networks know no classes."

    def latent_levels(self) -> tuple[int, ...]:
        return self.chunks or (self.z_dim,)

    def generator(self, name: str = "generator") -> PixelGenerator:
        return PixelGenerator(self, name=name)

    def discriminator(self, name: str = "discriminator") -> PixelDiscriminator:
        return PixelDiscriminator(self, name=name)


class _Hidden(keras.layers.Layer):
    """The hidden layers of either network.

    Args:
        config: Their numbers.
        divides_kernels: Whether spectral norm divides the kernels.
        chunks: How many further inputs each layer has.
        name: The name of the layer.
    """

    def __init__(self, config: PixelConfig, divides_kernels: bool, chunks: tuple[int, ...], name: str):
        super().__init__(name=name)
        self.config = config
        self.chunks = chunks
        options = SpectralNormOptions(enabled=divides_kernels)
        self.layers = [SNDense(config.width, spectral_norm=options, name=f"dense_{i}") for i in range(config.depth)]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        size = int(input_shape[-1] or 0)
        for number, layer in enumerate(self.layers):
            further = self.chunks[number] if self.chunks else 0
            layer.build((None, (size if number == 0 else self.config.width) + further))

    def call(
        self, x: Float[Tensor, "N C"], further: list[Float[Tensor, "N _"]], training: bool = False
    ) -> Float[Tensor, "N W"]:
        config = self.config
        activate = getattr(ops, config.activation)
        for number, layer in enumerate(self.layers):
            joined = ops.concatenate([x, further[number]], axis=1) if further else x
            y = config.gain * activate(layer(joined, training=training))
            x = (x + y) / math.sqrt(2.0) if config.skips and number else y
        return x


class PixelGenerator(Generator):
    """z -> hidden layers -> a point. There is no last activation, so that any point can be reached.

    Args:
        config: The configuration of both networks.
        name: The name of the network.
    """

    config: PixelConfig

    def __init__(self, config: PixelConfig, name: str = "generator"):
        super().__init__(name=name)
        self.config = config
        self.hidden = _Hidden(config, False, config.chunks, "hidden")
        self.hidden.build((None, 0 if config.chunks else config.z_dim))
        self.last = SNDense(3, spectral_norm=SpectralNormOptions(enabled=False), name="last")
        self.last.build((None, config.width))
        self.built = True

    @property
    def training_moves_state_alone(self) -> bool:
        return True

    def styles(
        self,
        z: Latents,
        embedding: Embeddings | None = None,
        truncation: Truncation | None = None,
        training: bool = False,
    ) -> Styles:
        """The latents themselves, times the truncation where there is one."""
        del embedding, training
        z = ops.convert_to_tensor(z)
        if truncation is None:
            return (z,)
        return (z * ops.reshape(ops.convert_to_tensor(truncation, z.dtype), (-1, 1)),)

    def synthesise(self, styles: Styles, keys: RowKeys | None = None, training: bool = False) -> Images:
        """The points [N, 1, 1, 3]."""
        del keys
        (z,) = styles
        chunks = self.config.chunks
        further = ops.split(z, [sum(chunks[: i + 1]) for i in range(len(chunks) - 1)], axis=1) if chunks else []
        first = z[:, :0] if chunks else z
        return ops.reshape(self.last(self.hidden(first, further, training=training)), (-1, 1, 1, 3))


class PixelDiscriminator(Discriminator):
    """A point -> hidden layers -> a logit.

    Args:
        config: The configuration of both networks.
        name: The name of the network.
    """

    config: PixelConfig

    def __init__(self, config: PixelConfig, name: str = "discriminator"):
        super().__init__(name=name)
        self.config = config
        self.hidden = _Hidden(config, config.divides_kernels, (), "hidden")
        self.hidden.build((None, 3))
        options = SpectralNormOptions(enabled=config.divides_kernels)
        self.last = SNDense(1, spectral_norm=options, name="last")
        self.last.build((None, config.width))
        self.build_condition(
            config.width,
            config.width,
            # A guess of codes has no use for a slope of 1: the heads are not normalised.
            lambda units, use_bias, name: SNDense(
                units, use_bias=use_bias, spectral_norm=SpectralNormOptions(enabled=False), name=name
            ),
            self.variable_dtype,
        )
        self.built = True

    def features_of(self, images: Images, training: bool = False) -> Features:
        """What the last hidden layer computes of points."""
        return self.hidden(ops.reshape(images, (-1, 3)), [], training=training)

    def call(self, inputs: DiscriminatorInputs, training: bool = False) -> Judgement:
        images, labels = self.checked(inputs)
        features = self.features_of(images, training)
        logits = self.last(features, training=training)[:, 0]
        return Judgement(logits, features, self.condition_heads(features, features[:, None, None], labels, training))
