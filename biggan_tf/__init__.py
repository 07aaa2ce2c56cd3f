"""Generative adversarial networks in TensorFlow and Keras 3: configured, trained, evaluated and loaded again.

Importing this package does nothing else: TensorFlow is loaded when a name that needs it is first asked for, so that a
worker of the data pipeline stays light.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

_NAMES = {
    "BigGAN": "biggan_tf.training.gan:GAN",
    "BigGANConfig": "biggan_tf.families.biggan.config:BigGANConfig",
    "Config": "biggan_tf.config:Config",
    "ConfigError": "biggan_tf.config:ConfigError",
    "Discriminator": "biggan_tf.contracts.discriminator:Discriminator",
    "GAN": "biggan_tf.training.gan:GAN",
    "Generator": "biggan_tf.contracts.generator:Generator",
    "LossScaleOptimizer": "biggan_tf.training.loss_scale_optimizer:LossScaleOptimizer",
    "Preset": "biggan_tf.presets.preset:Preset",
    "from_preset": "biggan_tf.presets.pretrained:from_preset",
    "load_discriminator": "biggan_tf.training.checkpoints.loading:load_discriminator",
    "load_generator": "biggan_tf.training.checkpoints.loading:load_generator",
    "save_to_preset": "biggan_tf.presets.pretrained:save_to_preset",
}
__all__ = [
    "GAN",
    "BigGAN",
    "BigGANConfig",
    "Config",
    "ConfigError",
    "Discriminator",
    "Generator",
    "LossScaleOptimizer",
    "Preset",
    "__version__",
    "from_preset",
    "load_discriminator",
    "load_generator",
    "save_to_preset",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"biggan_tf has no {name!r}; it has {', '.join(__all__)}.")
    module, _, attribute = _NAMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
