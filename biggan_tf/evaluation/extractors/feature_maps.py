"""The feature maps by which images are compared that show the same thing (`contracts.feature_maps`)."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf

from biggan_tf import files
from biggan_tf.evaluation.extractors import efficientnet_lite, inception
from biggan_tf.evaluation.extractors.features import read_tensors
from biggan_tf.evaluation.extractors.frozen_classifiers import ConcreteFunction, loaded_apart, with_constants
from biggan_tf.types import Images, Tensor

# The maps are what goes into these layers: the activations behind the stem and behind the second, third and fifth
# stage, at a half, a quarter, an eighth and a sixteenth of the size.
_EFFICIENTNET_LAYERS = (
    "_blocks.0._depthwise_conv",
    "_blocks.3._expand_conv",
    "_blocks.5._expand_conv",
    "_blocks.11._expand_conv",
)
# Likewise, at about a half, a quarter, an eighth and an eighth. In smaller images one of them has no pixel.
_INCEPTION_LAYERS = ("Conv2d_2a_3x3.conv", "Conv2d_3b_1x1.conv", "Mixed_5b.branch1x1.conv", "Mixed_6a.branch3x3.conv")
_LEAST_OF_INCEPTION = 27


class FrozenFeatureMaps:
    """A `contracts.feature_maps.FeatureMaps` of a function with constant weights.

    Args:
        function: Takes images with grey levels as the network was trained on.
        scale: The function takes scale * x + shift of images x in [-1, 1].
        shift: What is added to scale * x.
        fingerprint: The SHA-256 of its weights.
        least: The smallest height and width that every map has a pixel of.
    """

    def __init__(self, function: ConcreteFunction, scale: float, shift: float, fingerprint: str, least: int = 1):
        self._function, self._scale, self._shift, self._least = function, scale, shift, least
        self.fingerprint = fingerprint

    def __call__(self, images: Images) -> Sequence[Tensor]:
        """As in the contract. Images keep their size, so that fine detail is compared and not what resizing leaves.

        Raises:
            ValueError: If the images are too small for the network.
        """
        if min(size or self._least for size in images.shape[1:3]) < self._least:
            raise ValueError(
                f"Images must have at least {self._least} pixels along either side for these feature maps. Received: "
                f"{images.shape[2]} x {images.shape[1]}; take EfficientNet-Lite0's."
            )
        return list(self._function(self._scale * tf.cast(images, tf.float32) + self._shift))


def of_features(features: str, path: str = "") -> FrozenFeatureMaps:
    """The maps of the network whose features an evaluation compares.

    Args:
        features: The name of its extractor. "inception" has maps of its own; all others stand for EfficientNet-Lite0.
        path: The file of Inception's weights.
    """
    return inception_2015(path) if features == "inception" else efficientnet_lite0()


@functools.lru_cache
def efficientnet_lite0(path: str = "") -> FrozenFeatureMaps:
    """Feature maps of EfficientNet-Lite0.

    Args:
        path: The file of its weights; "": the one in the installed package.

    Raises:
        ValueError: If the package is not there, or the file holds the weights of another network.
    """
    path = path or str(efficientnet_lite.packaged_weights_path())

    def load() -> ConcreteFunction:
        network = efficientnet_lite.build_efficientnet_lite(resolution=None)
        efficientnet_lite.load_efficientnet_lite_weights(network, read_tensors(path))
        return _maps_of(network, _EFFICIENTNET_LAYERS)

    scale, shift = efficientnet_lite.SCALE, efficientnet_lite.SHIFT
    return FrozenFeatureMaps(loaded_apart(load), scale, shift, files.sha256(path))


@functools.lru_cache
def inception_2015(path: str) -> FrozenFeatureMaps:
    """Feature maps of the Inception network behind the FID.

    Args:
        path: The file of its weights, as `features.load_extractor` takes it.

    Raises:
        ValueError: If the file is not there, or holds the weights of another network.
    """
    if not path or not files.exists(path):
        raise ValueError(f"Inception's feature maps need the file of its weights. Received: {path!r}")

    def load() -> ConcreteFunction:
        network = inception.build_inception()
        inception.load_inception_weights(network, read_tensors(path))
        return _maps_of(network, _INCEPTION_LAYERS)

    return FrozenFeatureMaps(loaded_apart(load), 1.0, 0.0, files.sha256(path), _LEAST_OF_INCEPTION)


def _maps_of(network: keras.Model, layers: Sequence[str]) -> ConcreteFunction:
    """What goes into some layers of a network, as a function of its images with constant weights."""
    maps = keras.Model(network.input, [network.get_layer(name).input for name in layers])
    function = tf.function(lambda images: maps(images, training=False), autograph=False)
    return with_constants(function.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.float32)))
