"""A classifier of the user's own data: features for images that are far from photographs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from biggan_tf.evaluation import atomic_files

NUM_FEATURES = 128


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """The network with its (features, logits), and what it was trained on."""

    network: keras.Model
    resolution: int
    class_names: tuple[str, ...]


def build(resolution: int, num_classes: int) -> keras.Model:
    """Images `[N, R, R, 3]` in [-1, 1] to features `[N, 128]` and logits."""
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
    batches: Iterable[tuple[Any, Any]],
    resolution: int,
    class_names: tuple[str, ...],
    *,
    num_steps: int = 1000,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> TrainedClassifier:
    """Trains on labelled batches: float images in [-1, 1] and labels. 1000 steps of 64 take a minute at 32 pixels."""
    keras.utils.set_random_seed(seed)
    network = build(resolution, len(class_names))
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    optimizer = keras.optimizers.Adam(rate)
    variables = network.trainable_variables
    optimizer.build(variables)

    @tf.function
    def step(images: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            _, logits = network(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, variables), variables)

    done = 0
    for images, labels in batches:
        step(images, labels)
        done += 1
        if done == num_steps:
            return TrainedClassifier(network, resolution, class_names)
    raise ValueError(f"the training of a classifier needs {num_steps} batches. Received: {done}")


def save(classifier: TrainedClassifier, path: str | os.PathLike) -> None:
    """Writes the classifier as .npz, whole or not at all."""
    weights = {f"weight_{i:03d}": value for i, value in enumerate(classifier.network.get_weights())}
    atomic_files.write_npz(
        path, {**weights, "resolution": classifier.resolution, "class_names": np.array(classifier.class_names)}
    )


def load(path: str | os.PathLike) -> TrainedClassifier:
    """Reads what `save` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        if "resolution" not in archive or "class_names" not in archive:
            raise ValueError(f"{path} must be a classifier that biggan_tf trained; it lacks its resolution and classes")
        resolution, names = int(archive["resolution"]), tuple(str(name) for name in archive["class_names"])
        network = build(resolution, len(names))
        network.set_weights([archive[name] for name in sorted(archive) if name.startswith("weight_")])
    return TrainedClassifier(network, resolution, names)
