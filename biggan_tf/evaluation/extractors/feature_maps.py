"""The feature maps by which images are compared that show the same thing (`contracts.feature_maps`)."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf

from biggan_tf import files
from biggan_tf.evaluation.extractors import efficientnet_lite
from biggan_tf.evaluation.extractors.frozen_classifiers import ConcreteFunction, loaded_apart, with_constants
from biggan_tf.interop.torch_files import read_state_dict
from biggan_tf.types import Images, Tensor

# The maps are what goes into these layers: the activations behind the stem and behind the second, third and fifth
# stage, at a half, a quarter, an eighth and a sixteenth of the size.
_LAYERS = ("_blocks.0._depthwise_conv", "_blocks.3._expand_conv", "_blocks.5._expand_conv", "_blocks.11._expand_conv")


class FrozenFeatureMaps:
    """A `contracts.feature_maps.FeatureMaps` of a function with constant weights.

    Args:
        function: Takes images with grey levels as the network was trained on.
        scale: The function takes scale * x + shift of images x in [-1, 1].
        shift: As `scale`.
        fingerprint: The SHA-256 of its weights.
    """

    def __init__(self, function: ConcreteFunction, scale: float, shift: float, fingerprint: str):
        self._function, self._scale, self._shift = function, scale, shift
        self.fingerprint = fingerprint

    def __call__(self, images: Images) -> Sequence[Tensor]:
        """As in the contract. Images keep their size, so that fine detail is compared and not what resizing leaves."""
        return list(self._function(self._scale * tf.cast(images, tf.float32) + self._shift))


@functools.lru_cache
def efficientnet_lite0() -> FrozenFeatureMaps:
    """Feature maps of EfficientNet-Lite0, from the weights in the installed package.

    Raises:
        ValueError: If the package is not there, or holds the weights of another network.
    """
    path = str(efficientnet_lite.packaged_weights_path())

    def load() -> ConcreteFunction:
        network = efficientnet_lite.build_efficientnet_lite(resolution=None)
        efficientnet_lite.load_efficientnet_lite_weights(network, read_state_dict(path))
        maps = keras.Model(network.input, [network.get_layer(name).input for name in _LAYERS])
        function = tf.function(lambda images: maps(images, training=False), autograph=False)
        return with_constants(function.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.float32)))

    # The network was trained on (g - 127) / 128 of grey levels g = 127.5 x + 127.5.
    return FrozenFeatureMaps(loaded_apart(load), 127.5 / 128.0, 0.5 / 128.0, files.sha256(path))
