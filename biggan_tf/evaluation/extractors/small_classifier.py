"""A classifier trained on the user's own data, for images so far from photographs that other features say little."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from biggan_tf import files
from biggan_tf.interop.npz_files import read_npz
from biggan_tf.interop.weights_file_error import WeightsFileError, shown
from biggan_tf.progress import track
from biggan_tf.types import Images, LabelledBatches

NUM_FEATURES = 128
_MAX_RESOLUTION = 4096
_SHA256 = "weights_sha256"  # of the file that a note is about


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """A trained classifier.

    Attributes:
        network: Turns images in [-1, 1] into (features, logits).
        resolution: Height and width of the images that it takes.
        class_names: What its logits stand for.
    """

    network: keras.Model
    resolution: int
    class_names: tuple[str, ...]


def build(resolution: int, num_classes: int) -> keras.Model:
    """The untrained network: images in [-1, 1], `resolution` pixels high and wide, to (128 features, logits)."""
    x = images = keras.Input((resolution, resolution, 3))
    channels, size = 32, resolution
    while size > 4:
        x = keras.layers.Conv2D(channels, 3, 1 if size == resolution <= 32 and channels == 32 else 2, "same")(x)
        x = keras.layers.ReLU()(keras.layers.GroupNormalization(8)(x))
        channels, size = min(2 * channels, NUM_FEATURES), x.shape[1]
    x = keras.layers.Conv2D(NUM_FEATURES, 3, padding="same", activation="relu")(x)
    features = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, (features, keras.layers.Dense(num_classes)(features)), name="small_classifier")


def train(
    batches: LabelledBatches,
    resolution: int,
    class_names: tuple[str, ...],
    *,
    num_steps: int = 1000,
    learning_rate: float = 2e-3,
    seed: int = 0,
    progress: bool = False,
) -> TrainedClassifier:
    """Trains a classifier. 1000 steps with 64 images each take a minute at 32 pixels.

    Args:
        batches: Images in [-1, 1] and labels; one batch is taken for each step.
        resolution: Height and width of the images.
        class_names: What the labels stand for.
        num_steps: How many steps to train.
        learning_rate: Adam's at the start; it falls to 0 along a cosine.
        seed: Decides the initial weights.
        progress: Whether a bar tells how far it is; not by default.
    """
    keras.utils.set_random_seed(seed)
    network = build(resolution, len(class_names))
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    optimizer = keras.optimizers.Adam(rate)
    variables = network.trainable_variables
    optimizer.build(variables)

    @tf.function
    def step(images: Images, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            _, logits = network(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, variables), variables)

    num_done = 0
    for images, labels in track(itertools.islice(batches, num_steps), num_steps, "classifier", "step", progress):
        step(images, labels)
        num_done += 1
    if num_done < num_steps:
        raise ValueError(f"the training of a classifier needs {num_steps} batches. Received: {num_done}")
    return TrainedClassifier(network, resolution, class_names)


def save(classifier: TrainedClassifier, path: str | os.PathLike) -> None:
    """Writes the classifier as one .npz file, which appears complete or not at all."""
    weights = {f"weight_{i:03d}": value for i, value in enumerate(classifier.network.get_weights())}
    files.write_npz(
        path, {**weights, "resolution": classifier.resolution, "class_names": np.array(classifier.class_names)}
    )


def is_kept(path: str, training: Mapping[str, str | int]) -> bool:
    """Whether the classifier in a file can be used again: it was trained so, or how it was trained is not known.

    Args:
        path: The file; one without a note of its training, or with that of another file, is taken as it is.
        training: What decides the training, by name.
    """
    if not files.exists(path):
        return False
    try:
        note = files.read_json(_note_of(path))
    except (FileNotFoundError, ValueError):
        note = None
    if not isinstance(note, dict) or note.get(_SHA256) != files.sha256(path):
        return True
    return {name: value for name, value in note.items() if name != _SHA256} == dict(training)


def keep(classifier: TrainedClassifier, path: str, training: Mapping[str, str | int]) -> None:
    """Writes a classifier, and next to it, in a .json file, how it was trained, for `is_kept`.

    A classifier that is there already stays: its new name has the first digits of its SHA-256, which results refer to.

    Args:
        classifier: What is written.
        path: The .npz file.
        training: What decided the training, by name.
    """
    if files.exists(path):
        stem, suffix = os.path.splitext(path)
        files.rename(path, f"{stem}-{files.sha256(path)[:8]}{suffix}")
    save(classifier, path)
    files.write_json(_note_of(path), {_SHA256: files.sha256(path), **training})


def _note_of(path: str) -> str:
    return f"{os.path.splitext(path)[0]}.json"


def load(path: str | os.PathLike) -> TrainedClassifier:
    """Reads what `save` wrote.

    Raises:
        WeightsFileError: If the file holds something else.
    """
    arrays = read_npz(path)
    if "resolution" not in arrays or "class_names" not in arrays:
        raise ValueError(f"{path} must be a classifier that biggan_tf trained; it lacks its resolution and classes")
    resolution, names = arrays["resolution"], arrays["class_names"]
    weights = [arrays[name] for name in sorted(arrays) if name.startswith("weight_")]
    # The network is built from these alone, so they are compared with the weights before.
    last = weights[-1].shape if weights else ()
    if resolution.shape or resolution.dtype.kind not in "iu" or not 1 <= int(resolution) <= _MAX_RESOLUTION:
        raise WeightsFileError(
            f"{path} must hold a resolution from 1 to {_MAX_RESOLUTION}. Received: {shown(resolution.tolist())}"
        )
    if names.ndim != 1 or names.dtype.kind != "U" or last != names.shape:
        raise WeightsFileError(
            f"{path} must name as many classes as its last layer has outputs. "
            f"Received: names of shape {shown(names.shape)}, outputs of shape {shown(last)}"
        )
    network = build(int(resolution), len(names))
    wanted = [tuple(variable.shape) for variable in network.weights]
    if [weight.shape for weight in weights] != wanted:
        raise WeightsFileError(
            f"{path} must hold the weights of a classifier for {int(resolution)} pixels, {len(wanted)} arrays. "
            f"Received: {len(weights)} arrays, or some of other shapes"
        )
    network.set_weights(weights)
    return TrainedClassifier(network, int(resolution), tuple(str(name) for name in names))
