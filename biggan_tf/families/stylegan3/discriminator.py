"""StyleGAN3's discriminator, which is StyleGAN2's."""

from __future__ import annotations

from typing import ClassVar

import keras

from biggan_tf.families.stylegan2 import discriminator as stylegan2
from biggan_tf.families.stylegan2.config import StyleConfig
from biggan_tf.families.stylegan3.config import StyleGAN3Config


@keras.saving.register_keras_serializable("biggan_tf", "StyleGAN3Discriminator")
class Discriminator(stylegan2.Discriminator):
    """StyleGAN2's discriminator under StyleGAN3's configuration; the arguments are those of StyleGAN2's."""

    config_type: ClassVar[type[StyleConfig]] = StyleGAN3Config
