"""BigGAN and BigGAN-deep in TensorFlow and Keras 3."""

import importlib
from typing import Any

__all__ = ["BigGAN"]


def __getattr__(name: str) -> Any:
    # Only when it is asked for: a Beam worker imports biggan_tf.config and must not load TensorFlow.
    if name == "BigGAN":
        return importlib.import_module("biggan_tf.training.gan").BigGAN
    raise AttributeError(f"biggan_tf has no {name!r}; it has {', '.join(__all__)}.")
