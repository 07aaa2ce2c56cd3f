"""The generator: a residual trunk at the size of the small image, then a doubling for each factor of two."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
from jaxtyping import Float, Int
from keras import ops

from biggan_tf import precision
from biggan_tf.config import to_dict
from biggan_tf.contracts import enlarging_generator as contract
from biggan_tf.contracts.generator import GeneratorInputs
from biggan_tf.contracts.input_checks import check_images, check_rank
from biggan_tf.contracts.style_generator import NoiseMap
from biggan_tf.families.super_resolution.blocks import Convolution, Doubling, ResidualBlock
from biggan_tf.families.super_resolution.config import SuperResolutionConfig
from biggan_tf.ops.plane_noise import plane_normal
from biggan_tf.ops.precision import widen
from biggan_tf.ops.resizing import enlarged, reduced
from biggan_tf.types import Images, InputShape, Latents, RowKeys, SmallImages, Tensor, Truncation


class GivenImages(NamedTuple):
    """What steers the generator.

    Attributes:
        small: The small images.
    """

    small: SmallImages


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "SuperResolutionGenerator")
class Generator(contract.EnlargingGenerator):
    """Maps small images [N, h, w, 3] to images that are `config.factor` times as high and wide.

    The layers compute what the bicubic enlargement lacks. A new generator is nearly the bicubic enlargement, since the
    last convolution begins small:

        G(x, n) = bicubic(x) + C_rgb(double(... double(trunk(C_head x, n)) ...)).

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Example:
        >>> generator = Generator(SuperResolutionConfig(factor=4))
        >>> images = generator.enlarge(small)
    """

    config: SuperResolutionConfig

    def __init__(self, config: SuperResolutionConfig | Mapping[str, object], **kwargs: Any):
        self.config = precision.network_config(SuperResolutionConfig, config)
        kwargs.setdefault("dtype", self.config.policy)
        super().__init__(**kwargs)
        self.build(self.input_shapes)

    @property
    def has_noise(self) -> bool:
        return self.config.noise

    @property
    def input_shapes(self) -> Sequence[InputShape]:
        size = self.config.small_size
        return ((None, self.config.z_dim), (None, size, size, 3))

    @property
    def context(self) -> int:
        """A pixel for each 3x3 convolution up to the end of the trunk, and four for what follows.

        That is two at most for the first doubling, half of that for the second, since it works at twice the size, and
        less than one for the last convolution. The bicubic enlargement by itself sees two.
        """
        return 1 + 2 * self.config.blocks + 4

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        options = {"dtype": self.dtype_policy}
        self.head = Convolution(model.width, name="head", **options)
        self.head.build((None, None, None, 3))
        shape = (None, None, None, model.width)
        self.trunk = [ResidualBlock(model.noise, name=f"block_{i}", **options) for i in range(model.blocks)]
        doublings = model.factor.bit_length() - 1
        self.doublings = [
            Doubling(model.upsampling, model.noise, name=f"doubling_{i}", **options) for i in range(doublings)
        ]
        for layer in (*self.trunk, *self.doublings):
            layer.build(shape)
        self.to_rgb = Convolution(3, 0.01, name="to_rgb", **options)
        self.to_rgb.build(shape)
        self.built = True

    def reduce(self, images: Images) -> SmallImages:
        return reduced(images, self.config.factor, self.config.reduction)

    def checked(self, inputs: GeneratorInputs) -> tuple[Latents, SmallImages]:
        """Takes the inputs of a call apart: (z, small images)."""
        if not isinstance(inputs, tuple | list) or len(inputs) != 2:
            raise ValueError(
                "A generator that enlarges images must be called with (z, small images). Received: z alone; to enlarge "
                "images of any size call its method enlarge."
            )
        z, small = inputs
        check_rank("z", z, 2, self.config.z_dim)
        check_images(small, self.config.small_size)
        return z, small

    def inputs_of(self, z: Latents, labels: SmallImages | None = None) -> tuple[Latents, SmallImages]:
        """What the generator must be called with: (z, small images), where other families have labels."""
        if labels is None:
            raise ValueError("A generator that enlarges images must be given small images with z. Received: z alone.")
        return z, labels

    def styles(  # type: ignore[override] # a small image in the place of an embedding
        self,
        z: Latents,
        embedding: SmallImages,
        truncation: Truncation | None = None,
        training: bool = False,
    ) -> GivenImages:
        """The small images alone.

        Args:
            z: Has no influence.
            embedding: The small images.
            truncation: Has no influence.
            training: Has no influence.
        """
        return GivenImages(embedding)

    def synthesise(  # type: ignore[override] # it is called with styles of its own family alone
        self, styles: GivenImages, keys: RowKeys | None = None, training: bool = False
    ) -> Images:
        """Computes the large images; `enlarge` of the styles' small images."""
        return self.enlarge(styles.small, keys)

    def enlarge(
        self, small: SmallImages, keys: RowKeys | None = None, offset: Int[Tensor, " 2"] | None = None
    ) -> Float[Tensor, "N H W 3"]:
        check_images(small, None)
        noise = self._noise(small, keys, offset)
        x = self.head(ops.cast(small, self.compute_dtype))
        for layer, own in zip((*self.trunk, *self.doublings), noise, strict=True):
            x = layer(x, own)
        # The sum is taken wide: the residual is small beside the image.
        return enlarged(ops.cast(small, self.variable_dtype), self.config.factor) + widen(self.to_rgb(x))

    def _noise(
        self, small: SmallImages, keys: RowKeys | None, offset: Int[Tensor, " 2"] | None
    ) -> list[NoiseMap] | list[None]:
        """The noise of each layer: a channel of plane 0 for each layer of the trunk, and a plane for each doubling."""
        layers = len(self.trunk) + len(self.doublings)
        if not self.config.noise:
            return [None] * layers
        keys = ops.zeros((1, 2), "int64") if keys is None else keys
        height, width = small.shape[1:3]
        planes = plane_normal(keys, 0, height, width, max(len(self.trunk), 1), offset)
        noise = [planes[..., i : i + 1] for i in range(len(self.trunk))]
        for number in range(1, len(self.doublings) + 1):
            place = None if offset is None else offset * 2**number
            noise.append(plane_normal(keys, number, height * 2**number, width * 2**number, 1, place))
        return noise

    def export(self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **options: object) -> None:
        """Exports the network, see `keras.Model.export`; its inputs are z and small images of the training's size."""
        size = self.config.small_size
        inputs = (
            keras.InputSpec(dtype="float32", shape=(None, self.config.z_dim)),
            keras.InputSpec(dtype="float32", shape=(None, size, size, 3)),
        )
        super().export(filepath, format, **{"input_signature": [inputs], **options})

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config)}
