"""One interface to the networks whose features are compared: FID Inception, EfficientNet-Lite0, an own classifier."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from biggan_tf.evaluation import class_names, efficientnet_lite, inception, small_classifier
from biggan_tf.interop.torch_files import read_state_dict

EXTRACTORS = ("inception", "efficientnet_lite0", "classifier")
# The first digits of the sha256 of the published files; both files carry them in their names.
_INCEPTION_SHA256 = "6726825d"
_EFFICIENTNET_SHA256 = "57934424"


@dataclasses.dataclass(frozen=True)
class FeatureProtocol:
    """What decides the features of an image."""

    features: str
    weights_sha256: str
    resize: str


class FeatureExtractor:
    """Images to features and logits.

    Args:
        protocol: Its description, stored with every number made from it.
        network: Prepared images to (features, logits).
        prepare: Float images `[N, H, W, 3]` in [-1, 1] to what the network takes.
        distance_name: How a Fréchet distance between its features is called.
        class_names: What its logits stand for, for accuracies; empty: unknown.
    """

    def __init__(
        self,
        protocol: FeatureProtocol,
        network: keras.Model,
        prepare: Callable[[Any], Any],
        distance_name: str,
        class_names: tuple[str, ...] = (),
    ):
        self.protocol = protocol
        self.distance_name = distance_name
        self.class_names = class_names
        self._network = network
        self._prepare = prepare
        self._compiled = tf.function(self.compute)

    def __call__(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """Features `[N, D]` and logits `[N, K]`, float32, of uint8 images or of floats in [-1, 1]."""
        features, logits = self._compiled(tf.convert_to_tensor(images))
        return features.numpy(), logits.numpy()

    def compute(self, images: Any) -> tuple[Any, Any]:
        """The same inside a graph or a replica."""
        if images.dtype == tf.uint8:
            images = tf.cast(images, tf.float32) / 127.5 - 1.0
        return self._network(self._prepare(images), training=False)


def load_extractor(name: str, path: str = "") -> FeatureExtractor:
    """Builds an extractor.

    Args:
        name: One of `EXTRACTORS`.
        path: Its weights file. `inception` needs one (`pt_inception-2015-12-05-6726825d.pth`, or an .npz of the same
            tensors), `classifier` one that `small_classifier.train` wrote; `efficientnet_lite0` has its own.
    """
    if name == "efficientnet_lite0":
        return _efficientnet(path)
    if name not in EXTRACTORS:
        raise ValueError(f"features must be one of {', '.join(EXTRACTORS)}. Received: {name!r}")
    if not path or not Path(path).is_file():
        raise ValueError(f"{name} features need the file of their weights (--features_path). Received: {path!r}")
    return _inception(path) if name == "inception" else _classifier(path)


def _inception(path: str) -> FeatureExtractor:
    digest = _sha256(path)
    network = inception.build_inception()
    inception.load_inception_weights(network, _read_tensors(path))

    def prepare(images: Any) -> Any:
        return tf.image.resize(images, (299, 299), antialias=False)

    # Only distances between the published network's features are called FID. An .npz has another hash by nature.
    published = digest.startswith(_INCEPTION_SHA256)
    return FeatureExtractor(
        FeatureProtocol("inception", digest, "bilinear 299, no antialiasing"),
        network,
        prepare,
        "fid" if published else f"fd_inception_{digest[:8]}",
    )


def _efficientnet(path: str) -> FeatureExtractor:
    path = path or str(efficientnet_lite.packaged_weights_path())
    digest = _sha256(path)
    if not digest.startswith(_EFFICIENTNET_SHA256):
        raise ValueError(f"{path} must have a sha256 that starts with {_EFFICIENTNET_SHA256}. Received: {digest}")
    network = efficientnet_lite.build_efficientnet_lite()
    efficientnet_lite.load_efficientnet_lite_weights(network, read_state_dict(path))

    def prepare(images: Any) -> Any:
        size = (efficientnet_lite.RESOLUTION, efficientnet_lite.RESOLUTION)
        images = tf.clip_by_value(tf.image.resize(images, size, "bicubic", antialias=True), -1.0, 1.0)
        return (images * 127.5 + 0.5) / 128.0  # Its training saw (x - 127) / 128.

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
        FeatureProtocol("classifier", _sha256(path), f"none, {trained.resolution} pixels"),
        trained.network,
        lambda images: tf.ensure_shape(images, (None, trained.resolution, trained.resolution, 3)),
        "fd_classifier",
        trained.class_names,
    )


def _read_tensors(path: str) -> dict[str, np.ndarray]:
    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    return read_state_dict(path)


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
