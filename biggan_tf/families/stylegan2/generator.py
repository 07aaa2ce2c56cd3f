"""StyleGAN2's generator (Karras et al. 2020, arXiv:1912.04958, figure 2 and figure 7 (b))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import keras
import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.style_generator import NoiseMap
from biggan_tf.families.stylegan2 import mapped_generator
from biggan_tf.families.stylegan2.blocks import StyledConvolution, ToRGB
from biggan_tf.families.stylegan2.config import StyleConfig, StyleGAN2Config
from biggan_tf.families.stylegan2.mapped_generator import LayerStyles
from biggan_tf.ops import fir
from biggan_tf.ops.precision import widen
from biggan_tf.ops.row_noise import correlate, row_normal
from biggan_tf.types import Images, InputShape, RowKeys, Tensor


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "StyleGAN2Generator")
class Generator(mapped_generator.Generator):
    """Maps latents [N, z_dim] and class embeddings [N, w_dim] to images [N, R, R, 3], by way of styles.

    The images have no last activation, so single values may lie outside of [-1, 1].

    Parameters (stylegan2_test.py counts them): 30,370,060 at 1024 pixels, 30,034,338 at 256, 24,767,458 at 256 with
    half of `channel_base`, all without classes.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Example:
        >>> generator = Generator(StyleGAN2Config(resolution=32))
        >>> images = generator(z, truncation=0.7, keys=keys)
    """

    config: StyleGAN2Config
    config_type: ClassVar[type[StyleConfig]] = StyleGAN2Config

    @property
    def has_noise(self) -> bool:
        return self.config.noise == "random"

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        self.build_mapping()
        self.constant = self.add_weight(
            name="constant",
            shape=(4, 4, model.channels(4)),
            initializer=keras.initializers.RandomNormal(0.0, 1.0),
        )
        self.convolutions: list[StyledConvolution] = []
        self.to_rgb: list[ToRGB] = []
        inputs = model.channels(4)
        for size in model.levels:
            channels = model.channels(size)
            for number in range(0 if size > 4 else 1, 2):
                double = number == 0
                layer = StyledConvolution(
                    channels, size, double, model.clamp, name=f"level_{size}_conv_{number}", dtype=self.dtype_policy
                )
                before = size // 2 if double else size
                layer.build((None, before, before, inputs), (None, model.w_dim))
                self.convolutions.append(layer)
                inputs = channels
            to_rgb = ToRGB(model.clamp, name=f"level_{size}_to_rgb", dtype=self.dtype_policy)
            to_rgb.build((None, size, size, channels), (None, model.w_dim))
            self.to_rgb.append(to_rgb)
        self.built = True

    def modulations(self) -> list[Float[Tensor, "V C"]]:
        """The last style steers the last conversion to RGB, and every other one a convolution, whose matrix it is."""
        denses = [*(layer.style for layer in self.convolutions), self.to_rgb[-1].style]
        return [ops.convert_to_tensor(dense.kernel) * dense.gain for dense in denses]

    def synthesise(  # type: ignore[override] # it is called with styles of its own family alone
        self, styles: LayerStyles, keys: RowKeys | None = None, training: bool = False
    ) -> Images:
        """Computes images: from a constant, level by level, each of which adds its RGB to the doubled image before.

        Args:
            styles: What `styles` returned.
            keys: The key that decides the noise of each row. None: the stored noise, the same for all rows.
            training: Has no influence.
        """
        return self.synthesise_with_noise(styles, self.noise_maps(keys))

    def synthesise_with_noise(  # type: ignore[override] # it is called with styles of its own family alone
        self, styles: LayerStyles, maps: Sequence[NoiseMap]
    ) -> Images:
        ws = ops.cast(styles.ws, self.compute_dtype)
        noise: Sequence[NoiseMap | None] = maps or [None] * len(self.convolutions)
        if len(noise) != len(self.convolutions):
            raise ValueError(
                f"There must be a noise map for each of {len(self.convolutions)} layers. Received: {len(maps)}"
            )
        x = ops.repeat(ops.cast(self.constant, self.compute_dtype)[None], ops.shape(ws)[0], axis=0)
        image = ops.zeros((ops.shape(ws)[0], 2, 2, 3), self.variable_dtype)  # Half of the first level, and black.
        layer = 0
        for level, to_rgb in enumerate(self.to_rgb):
            for _ in range(2 if level else 1):
                x = self.convolutions[layer](x, ws[:, layer], noise[layer])
                layer += 1
            # The conversion to RGB shares its style with the next convolution.
            rgb = widen(to_rgb(x, ws[:, layer]))
            image = fir.upsample(image, fir.binomial()) + rgb
        return image

    @property
    def noise_correlation(self) -> float:
        return self.config.noise_correlation

    def noise_maps(self, keys: RowKeys | None) -> list[NoiseMap]:
        """The noise of each convolution; none where the configuration says so."""
        if self.config.noise == "none":
            return []
        if keys is None or self.config.noise == "constant":
            return [ops.convert_to_tensor(layer.stored_noise)[None, :, :, None] for layer in self.convolutions]
        sizes = [layer.size for layer in self.convolutions]
        # One draw for all layers of a row: a row's numbers then depend on its own key alone.
        values = row_normal(keys, sum(size**2 for size in sizes))
        parts = ops.split(values, np.cumsum([size**2 for size in sizes])[:-1].tolist(), axis=1)
        shaped = [ops.reshape(part, (-1, size, size, 1)) for part, size in zip(parts, sizes, strict=True)]
        return [correlate(noise, self.config.noise_correlation) for noise in shaped]
