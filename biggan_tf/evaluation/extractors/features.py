"""One interface to the networks whose features are compared.

These are the Inception network of the FID, EfficientNet-Lite0, and a classifier trained on the user's own data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float32

from biggan_tf import files
from biggan_tf.config import checks
from biggan_tf.data import class_names
from biggan_tf.evaluation.extractors import efficientnet_lite, inception, small_classifier
from biggan_tf.evaluation.extractors.frozen_classifiers import ConcreteFunction, with_constants
from biggan_tf.interop.npz_files import read_npz
from biggan_tf.interop.torch_files import read_state_dict
from biggan_tf.types import ByteImages, Images, Tensor

EXTRACTORS = checks.EXTRACTORS
# The first digits of the sha256 of the published files; both files carry them in their names.
_INCEPTION_SHA256 = "6726825d"
_EFFICIENTNET_SHA256 = "57934424"
Prepare: TypeAlias = Callable[[Images], Tensor]  # images in [-1, 1] to what a network was trained on


@dataclasses.dataclass(frozen=True)
class FeatureProtocol:
    """What decides the features of an image.

    Attributes:
        features: The name of the extractor, one of `EXTRACTORS`.
        weights_sha256: The SHA-256 of the file of its weights.
        resize: How images are brought to the size that the network takes.
    """

    features: str
    weights_sha256: str
    resize: str


class FeatureExtractor:
    """A network that turns images into features and logits.

    Args:
        protocol: Describes the extractor; it is stored with every number that depends on it.
        network: Turns prepared images into (features, logits).
        prepare: Turns images in [-1, 1] of any size into what the network takes.
        distance_name: What a Fréchet distance between these features is called, such as "fid".
        class_names: The names of the classes that the logits stand for, needed for accuracies; (): unknown.
        score_bias: What the Inception score subtracts from the logits. The published score was computed without the
            bias of the last layer, although the network has one. None: nothing.
        resolution: Height and width of the images that it takes; 0: any.
    """

    def __init__(
        self,
        protocol: FeatureProtocol,
        network: keras.Model,
        prepare: Prepare,
        distance_name: str,
        class_names: tuple[str, ...] = (),
        score_bias: Float32[np.ndarray, " K"] | None = None,
        resolution: int = 0,
    ):
        self.protocol = protocol
        self.distance_name = distance_name
        self.class_names = class_names
        self.score_bias = score_bias
        self.resolution = resolution
        self._network = network
        self._prepare = prepare
        self._functions: dict[tf.TensorSpec, ConcreteFunction] = {}

    @property
    def score_name(self) -> str:
        """What the Inception score of these logits is called; with any other network than Inception it has its name."""
        return "inception_score" if self.distance_name == "fid" else f"is_{self.distance_name.removeprefix('fd_')}"

    def __call__(self, images: ByteImages | Images) -> tuple[Float32[np.ndarray, "N F"], Float32[np.ndarray, "N K"]]:
        """The features and logits of images given as bytes or as floats in [-1, 1]."""
        images = tf.convert_to_tensor(images)
        spec = tf.TensorSpec((None, *images.shape[1:]), images.dtype)
        if spec not in self._functions:
            self._functions[spec] = self._function(spec)
        features, logits = self._functions[spec](images)
        return features.numpy(), logits.numpy()

    def compute(self, images: ByteImages | Images) -> tuple[Float32[Tensor, "N F"], Float32[Tensor, "N K"]]:
        """The same as a call, for use inside a graph or on a replica."""
        if images.dtype == tf.uint8:
            images = tf.cast(images, tf.float32) / 127.5 - 1.0
        return self._network(self._prepare(images), training=False)

    def _function(self, spec: tf.TensorSpec) -> ConcreteFunction:
        """The graph for images of one size. TensorFlow joins norms with convolutions where weights are constants."""
        function = tf.function(self.compute).get_concrete_function(spec)
        if any(isinstance(weight.value, tf.distribute.DistributedValues) for weight in self._network.variables):
            return function  # Weights that replicas share cannot be made constants.
        return with_constants(function)


def load_extractor(name: str, path: str = "") -> FeatureExtractor:
    """Builds an extractor.

    Args:
        name: One of `EXTRACTORS`.
        path: The file of its weights. For "inception" it is `pt_inception-2015-12-05-6726825d.pth` or an .npz of the
            same tensors, for "classifier" a file that `small_classifier.save` wrote. For "efficientnet_lite0" it may be
            "", the weights in an installed package.
    """
    if name == "efficientnet_lite0":
        return _efficientnet(path)
    if name not in EXTRACTORS:
        raise ValueError(f"features must be one of {', '.join(EXTRACTORS)}. Received: {name!r}")
    if not files.is_file(path):
        raise ValueError(f"{name} features need the file of their weights (--features_path). Received: {path!r}")
    if not path.endswith(".npz"):
        files.require_local(f"The file of the weights of {name} features", path)
    return _inception(path) if name == "inception" else _classifier(path)


def _inception(path: str) -> FeatureExtractor:
    digest = files.sha256(path)
    network = inception.build_inception()
    inception.load_inception_weights(network, read_tensors(path))

    def prepare(images: Images) -> tf.Tensor:
        return tf.image.resize(images, (299, 299), antialias=False)

    # Only distances between the published network's features are called FID. An .npz of them has
    # another hash, so that its origin cannot be told.
    published = digest.startswith(_INCEPTION_SHA256)
    return FeatureExtractor(
        FeatureProtocol("inception", digest, "bilinear 299, no antialiasing"),
        network,
        prepare,
        "fid" if published else f"fd_inception_{digest[:8]}",
        score_bias=network.get_layer("fc").bias.numpy(),
    )


def _efficientnet(path: str) -> FeatureExtractor:
    path = path or str(efficientnet_lite.packaged_weights_path())
    digest = files.sha256(path)
    if not digest.startswith(_EFFICIENTNET_SHA256):
        raise ValueError(f"{path} must have a sha256 that starts with {_EFFICIENTNET_SHA256}. Received: {digest}")
    network = efficientnet_lite.build_efficientnet_lite()
    efficientnet_lite.load_efficientnet_lite_weights(network, read_state_dict(path))

    def prepare(images: Images) -> tf.Tensor:
        size = (efficientnet_lite.RESOLUTION, efficientnet_lite.RESOLUTION)
        images = tf.clip_by_value(tf.image.resize(images, size, "bicubic", antialias=True), -1.0, 1.0)
        return efficientnet_lite.SCALE * images + efficientnet_lite.SHIFT

    return FeatureExtractor(
        FeatureProtocol("efficientnet_lite0", digest, "bicubic 224, antialiased"),
        network,
        prepare,
        "fd_efficientnet_lite0",
        class_names.imagenet().synsets,
    )


def _classifier(path: str) -> FeatureExtractor:
    trained = small_classifier.load(path)
    return FeatureExtractor(
        FeatureProtocol("classifier", files.sha256(path), f"none, {trained.resolution} pixels"),
        trained.network,
        lambda images: tf.ensure_shape(images, (None, trained.resolution, trained.resolution, 3)),
        "fd_classifier",
        trained.class_names,
        resolution=trained.resolution,
    )


def read_tensors(path: str) -> dict[str, np.ndarray]:
    """The tensors of a .pth file, or of an .npz of the same tensors, by name."""
    return read_npz(path) if path.endswith(".npz") else read_state_dict(path)
