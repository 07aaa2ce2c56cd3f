"""StyleGAN3's generator (Karras et al. 2021, arXiv:2106.12423, section 3, figure 4 (b))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.families.stylegan2 import mapped_generator
from biggan_tf.families.stylegan2.config import StyleConfig
from biggan_tf.families.stylegan2.mapped_generator import LayerStyles
from biggan_tf.families.stylegan3.blocks import FilteredLayer, FourierFeatures
from biggan_tf.families.stylegan3.config import StyleGAN3Config
from biggan_tf.families.stylegan3.tables import layer_plans
from biggan_tf.ops.precision import widen
from biggan_tf.types import Images, InputShape, RowKeys, Tensor


# Keras knows classes by their names alone, of which every family has a Generator and a Discriminator.
@keras.saving.register_keras_serializable("biggan_tf", "StyleGAN3Generator")
class Generator(mapped_generator.Generator):
    """Maps latents [N, z_dim] and class embeddings [N, w_dim] to images [N, R, R, 3], by way of styles.

    The images have no last activation, so single values may lie outside of [-1, 1]. There is no noise.

    A layer divides its inputs by the root of their running mean square, which a call of `synthesise` with training=True
    moves. The authors move it, as they do the running mean of w, in D's phase alone.

    Parameters (networks_test.py counts them) of StyleGAN3-T without classes: 22,313,167 at 1024 pixels, 28,472,133 at
    256.

    Args:
        config: The configuration of both networks, or its fields by name, as `get_config` returns them.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Attributes:
        fourier_features: The input of the layers. Its `transform` is the plane of the images.

    Example:
        >>> generator = Generator(StyleGAN3Config(resolution=32))
        >>> images = generator(z, truncation=0.7)
    """

    config: StyleGAN3Config
    config_type: ClassVar[type[StyleConfig]] = StyleGAN3Config

    @property
    def training_moves_state_alone(self) -> bool:
        return True

    @property
    def plane(self) -> keras.Variable:
        return self.fourier_features.transform

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        model = self.config
        self.build_mapping()
        plans = layer_plans(model)
        given, w_shape = plans[0].given, (None, model.w_dim)
        self.fourier_features = FourierFeatures(
            given.channels, given.size, given.rate, given.cutoff, name="fourier_features", dtype=self.dtype_policy
        )
        self.fourier_features.build(w_shape)
        self.filtered_layers: list[FilteredLayer] = []
        for plan in plans:
            name = "to_rgb" if plan.is_to_rgb else f"layer_{plan.number}"
            layer = FilteredLayer(plan, model.clamp, model.magnitude_decay, name=name, dtype=self.dtype_policy)
            layer.build((None, plan.given.size, plan.given.size, plan.given.channels), w_shape)
            self.filtered_layers.append(layer)
        self.built = True

    def modulations(self) -> list[Float[Tensor, "V C"]]:
        """The first style steers no convolution but the place and angle of the images; its matrix has 4 columns."""
        denses = [self.fourier_features.affine, *(layer.style for layer in self.filtered_layers)]
        return [ops.convert_to_tensor(dense.kernel) * dense.gain for dense in denses]

    def synthesise(  # type: ignore[override] # it is called with styles of its own family alone
        self, styles: LayerStyles, keys: RowKeys | None = None, training: bool = False
    ) -> Images:
        """Computes images: Fourier features, layer by layer.

        Args:
            styles: What `styles` returned.
            keys: Have no influence.
            training: Whether each layer's running mean square of its inputs is moved, before it is used.
        """
        ws = styles.ws
        x = self.fourier_features(ws[:, 0])
        for number, layer in enumerate(self.filtered_layers, start=1):
            x = layer(x, ws[:, number], training=training)
        return widen(x) * self.config.output_scale
