"""What classes tell one another through the batch norm that they share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.layers.batch_norm import BatchNorm


@dataclasses.dataclass(frozen=True)
class NormLeakage:
    """How far each class's own moments are from those of all classes together, in one batch norm.

    Attributes:
        name: Of the layer.
        mean_shift: Root mean square over channels of (class mean - shared mean) / shared deviation, `[K]`.
        variance_ratio: Geometric mean over channels of class variance / shared variance, `[K]`.
        between_share: Share of the variance that lies between the classes: what a sample in a batch of its own class
            would be normalised without.
    """

    name: str
    mean_shift: np.ndarray
    variance_ratio: np.ndarray
    between_share: float


def measure(generator: Any, labels: list[int], *, images_per_class: int = 32, seed: int = 0) -> list[NormLeakage]:
    """Runs each class by itself and compares the moments that reach every batch norm.

    Args:
        generator: Used with its stored statistics; it is not changed.
        labels: The classes, two or more.
        images_per_class: Each class gets the same latents, so that the class alone differs.
        seed: Of the latents.
    """
    if len(set(labels)) < 2:
        raise ValueError(f"leakage needs two classes or more. Received: {labels}")
    z = latents.normal(tf.constant([seed, 3]), [images_per_class, generator.model_config.z_dim])
    names: list[str] = []
    moments: list[list[tuple[np.ndarray, np.ndarray]]] = []
    for label in labels:
        with _Recorder() as recorder:
            generator((z, generator.embed(tf.fill([images_per_class], label))), training=False)
        names = recorder.names
        moments.append(recorder.moments)
    return [_leakage(name, [rows[i] for rows in moments]) for i, name in enumerate(names)]


def _leakage(name: str, rows: list[tuple[np.ndarray, np.ndarray]]) -> NormLeakage:
    means, variances = (np.stack(column) for column in zip(*rows, strict=True))  # [K, C]
    between = means.var(axis=0)
    shared = variances.mean(axis=0) + between + 1e-12
    shift = np.sqrt(np.mean((means - means.mean(axis=0)) ** 2 / shared, axis=1))
    ratio = np.exp(np.mean(np.log((variances + 1e-12) / shared), axis=1))
    return NormLeakage(name, shift, ratio, float(np.mean(between / shared)))


class _Recorder:
    """Notes the moments of what each batch norm is given, while it lasts."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.moments: list[tuple[np.ndarray, np.ndarray]] = []
        self._call = BatchNorm.call

    def __enter__(self) -> _Recorder:
        original = self._call

        def call(layer: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
            mean, variance = tf.nn.moments(tf.cast(x, tf.float64), axes=[0, 1, 2])
            self.names.append(layer.path)
            self.moments.append((mean.numpy(), variance.numpy()))
            return original(layer, x, *args, **kwargs)

        BatchNorm.call = call  # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, *_error: object) -> None:
        BatchNorm.call = self._call  # type: ignore[method-assign]
