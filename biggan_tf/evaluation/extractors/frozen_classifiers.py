"""Classifiers with weights that are constants, so that no gradient can reach them and no checkpoint holds them."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float32

from biggan_tf import files
from biggan_tf.config.classifiers import EfficientNetLite0Config, SavedModelConfig
from biggan_tf.evaluation.extractors import efficientnet_lite, graph_operations
from biggan_tf.interop.torch_files import read_state_dict
from biggan_tf.types import Images, Tensor

ConcreteFunction: TypeAlias = tf.types.experimental.ConcreteFunction


class FrozenClassifier:
    """A `contracts.classifier.Classifier` that resizes images to what a function with constant weights takes.

    Args:
        function: Its weights are constants. Takes images of `size` with values as `scale` and `shift` make them.
        size: Their height and width; None: those of the images.
        method: How they are resized, a method of `tf.image.resize`; with antialiasing.
        scale: The function takes scale * x + shift of images x in [-1, 1].
        shift: What is added to scale * x.
        num_values: How many values its answer to an image has.
        fingerprint: The SHA-256 of its weights.
    """

    def __init__(
        self,
        function: ConcreteFunction,
        size: tuple[int, int] | None,
        method: str,
        scale: float,
        shift: float,
        num_values: int,
        fingerprint: str,
    ):
        self._function, self._size, self._method = function, size, method
        self._scale, self._shift = scale, shift
        self.num_values, self.fingerprint = num_values, fingerprint

    def __call__(self, images: Images) -> Float[Tensor, "N V"]:
        """As in the contract."""
        images = tf.cast(images, tf.float32)
        if self._size is not None:
            images = tf.clip_by_value(_resized(images, self._size, self._method), -1.0, 1.0)
        (answers,) = self._function(self._scale * images + self._shift)
        return tf.reshape(answers, (-1, self.num_values))

    def multiply_adds(self, resolution: int) -> int:
        """As in the contract."""
        height, width = self._size or (resolution, resolution)
        return graph_operations.multiply_adds(self._function, height, width)


def efficientnet_lite0(config: EfficientNetLite0Config) -> FrozenClassifier:
    """Loads EfficientNet-Lite0, prepared as for the features of metrics (`evaluation.extractors.features`).

    Raises:
        ValueError: If its weights are not there, or are those of another network.
    """
    path = config.path or str(efficientnet_lite.packaged_weights_path())
    if not files.exists(path):
        raise ValueError(f"classifier.path must be the file of EfficientNet-Lite0's weights. Received: {path!r}")
    index = ("features", "logits").index(config.answer)
    num_values = (efficientnet_lite.NUM_FEATURES, efficientnet_lite.NUM_LOGITS)[index]
    size = (efficientnet_lite.RESOLUTION, efficientnet_lite.RESOLUTION)

    def load() -> ConcreteFunction:
        network = efficientnet_lite.build_efficientnet_lite()
        efficientnet_lite.load_efficientnet_lite_weights(network, read_state_dict(path))
        function = tf.function(lambda images: network(images, training=False)[index], autograph=False)
        return with_constants(function.get_concrete_function(tf.TensorSpec((None, *size, 3), tf.float32)))

    scale, shift = efficientnet_lite.SCALE, efficientnet_lite.SHIFT
    return FrozenClassifier(loaded_apart(load), size, "bicubic", scale, shift, num_values, files.sha256(path))


def saved_model(config: SavedModelConfig) -> FrozenClassifier:
    """Loads a signature of a SavedModel.

    Raises:
        ValueError: If there is no SavedModel at the path, or its signature is not one of images to vectors.
    """
    if not tf.saved_model.contains_saved_model(config.path):
        raise ValueError(f"classifier.path must be the folder of a SavedModel. Received: {config.path!r}")
    frozen = loaded_apart(lambda: _signature(config))
    (images,), (output,) = frozen.inputs, frozen.outputs
    height, width = images.shape[1:3]
    size = None if height is None or width is None else (height, width)
    return FrozenClassifier(frozen, size, "bilinear", 0.5, 0.5, output.shape[1], _sha256_of_folder(config.path))


def _signature(config: SavedModelConfig) -> ConcreteFunction:
    """The signature and the output that a configuration names, as a function of images with constant weights."""
    loaded = tf.saved_model.load(config.path)  # holds the variables until they are constants
    if config.signature not in loaded.signatures:
        raise ValueError(
            f"classifier.signature must be one of {', '.join(loaded.signatures)}. Received: {config.signature!r}"
        )
    function = loaded.signatures[config.signature]
    height, width = _size_of(function)
    name = _output_of(function, config.output)
    (keyword,) = function.structured_input_signature[1]

    def answers(images: Tensor) -> Tensor:
        return tf.cast(function(**{keyword: images})[name], tf.float32)

    spec = tf.TensorSpec((None, height, width, 3), tf.float32)
    return with_constants(tf.function(answers, autograph=False).get_concrete_function(spec))


def loaded_apart(load: Callable[[], ConcreteFunction]) -> ConcreteFunction:
    """What a function loads in a thread of its own.

    There it is outside of whatever the caller builds a discriminator in, all of which belongs to the caller's thread: a
    distribution strategy, whose variables cannot be made constants, a graph, or a scope of Keras in which variables
    get no values.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(load).result()


def _size_of(function: ConcreteFunction) -> tuple[int | None, int | None]:
    """The height and width of the images that a signature takes; None where it takes any."""
    inputs = list(function.structured_input_signature[1].values())
    shape = inputs[0].shape if len(inputs) == 1 else tf.TensorShape(None)
    if shape.rank != 4 or shape[3] not in (None, 3) or inputs[0].dtype != tf.float32:
        raise ValueError(
            "The signature of a classifier must take float32 images of shape (N, H, W, 3) alone. Received: "
            f"{[(spec.name, tuple(spec.shape) if spec.shape.rank else None) for spec in inputs]}"
        )
    return shape[1], shape[2]


def _output_of(function: ConcreteFunction, wanted: str) -> str:
    """The name of the output that is wanted, which must have a known number of values for each image."""
    outputs = function.structured_outputs
    if wanted not in outputs and (wanted or len(outputs) > 1):
        raise ValueError(f"classifier.output must be one of {', '.join(outputs)}. Received: {wanted!r}")
    name = wanted or next(iter(outputs))
    shape = outputs[name].shape
    if shape.rank != 2 or shape[1] is None:
        raise ValueError(
            f"A classifier's output must be of shape (N, values), with a known number of them. Received: {name} of "
            f"shape {shape}"
        )
    return str(name)


def with_constants(function: ConcreteFunction) -> ConcreteFunction:
    """A function with the values of its variables in their place."""
    # Not public in TensorFlow 2.21, which offers no other way; frozen_classifiers_test.py fails when it goes.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function)


def _resized(images: Float[Tensor, "N H W 3"], size: tuple[int, int], method: str) -> Float[Tensor, "N H2 W2 3"]:
    """`tf.image.resize` with antialiasing as two matrix products, which have derivatives of any order."""
    if tuple(images.shape[1:3]) == size:
        return images
    rows, columns = (
        tf.constant(_resizing_matrix(int(old), new, method)) for old, new in zip(images.shape[1:3], size, strict=True)
    )
    return tf.einsum("ah,nhwc,bw->nabc", rows, images, columns)


def _resizing_matrix(old: int, new: int, method: str) -> Float32[np.ndarray, "new old"]:
    """How much each old pixel of a row gives to each new one."""
    with tf.init_scope():
        unit = tf.eye(old)[:, :, None]
        return tf.image.resize(unit, (new, old), method, antialias=True)[:, :, 0].numpy()


def _sha256_of_folder(folder: str) -> str:
    """The SHA-256 of the names and contents of a SavedModel's graph and variables."""
    digest = hashlib.sha256()
    for name in ("saved_model.pb", *(f"variables/{name}" for name in sorted(_names(f"{folder}/variables")))):
        digest.update(f"{name} {files.sha256(files.join(folder, name))}\n".encode())
    return digest.hexdigest()


def _names(folder: str) -> list[str]:
    return [os.path.basename(str(name)) for name in files.list_folder(folder)] if files.is_folder(folder) else []
