"""Images in, features and their moments out: one pass, bounded memory, shared among replicas."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from biggan_tf.evaluation.features import FeatureExtractor
from biggan_tf.evaluation.moments import Moments

MAX_KEPT = 50_000


@dataclasses.dataclass(frozen=True)
class FeatureBank:
    """The moments of all images, and the features themselves of the first `MAX_KEPT`.

    Attributes:
        moments: Of every image.
        features: float32 `[N, D]`.
        logits: float32 `[N, K]`.
        labels: int32 `[N]`.
    """

    moments: Moments
    features: np.ndarray
    logits: np.ndarray
    labels: np.ndarray

    @classmethod
    def merged(cls, parts: Iterable[FeatureBank]) -> FeatureBank:
        """The banks of several workers in one."""
        parts = list(parts)
        return cls(
            Moments.merged(part.moments for part in parts),
            np.concatenate([part.features for part in parts])[:MAX_KEPT],
            np.concatenate([part.logits for part in parts])[:MAX_KEPT],
            np.concatenate([part.labels for part in parts])[:MAX_KEPT],
        )


def collect(
    batches: Iterable[tuple[Any, Any]],
    extractor: FeatureExtractor,
    *,
    num_images: int = 0,
    strategy: tf.distribute.Strategy | None = None,
    max_kept: int = MAX_KEPT,
    progress: str = "",
) -> FeatureBank:
    """Extracts the features of labelled batches.

    Args:
        batches: Images (uint8, or floats in [-1, 1]) and labels.
        extractor: Makes the features.
        num_images: Stop after as many; 0: take all.
        strategy: Splits each batch over its replicas; None: one device.
        max_kept: How many features are kept beside the moments.
        progress: Title of a progress bar; "": none.
    """
    extract = extractor if strategy is None else _replicated(extractor, strategy)
    moments: Moments | None = None
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    seen = 0
    with tqdm(total=num_images or None, desc=progress, unit="image", disable=not progress) as bar:
        for images, labels in batches:
            count = min(len(images), num_images - seen) if num_images else len(images)
            features, logits = extract(images[:count])
            block = Moments.of(features)
            moments = block if moments is None else moments.merge(block)
            room = max(max_kept - seen, 0)
            kept.append((features[:room], logits[:room], np.asarray(labels)[:count][:room].astype(np.int32)))
            seen += count
            bar.update(count)
            if seen == num_images:
                break
    if moments is None or (num_images and seen < num_images):
        raise ValueError(f"there must be {num_images or 'some'} images. Received: {seen}")
    features, logits, labels = (np.concatenate(column) for column in zip(*kept, strict=True))
    return FeatureBank(moments, features, logits, labels)


def _replicated(extractor: FeatureExtractor, strategy: tf.distribute.Strategy) -> Any:
    """The extractor on all replicas, each with its part of the batch."""
    replicas = strategy.num_replicas_in_sync

    @tf.function
    def run(parts: Any) -> Any:
        return strategy.run(extractor.compute, (parts,))

    def extract(images: Any) -> tuple[np.ndarray, np.ndarray]:
        images = np.asarray(images)
        share = math.ceil(len(images) / replicas)
        # Every replica needs the same number; the repeated images' features are dropped below.
        padded = np.concatenate([images, np.repeat(images[-1:], share * replicas - len(images), axis=0)])
        parts = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(padded[context.replica_id_in_sync_group :: replicas])
        )
        results = [strategy.experimental_local_results(value) for value in run(parts)]
        order = np.argsort(np.concatenate([np.arange(i, share * replicas, replicas) for i in range(replicas)]))
        joined = [np.concatenate([part.numpy() for part in parts])[order][: len(images)] for parts in results]
        return joined[0], joined[1]

    return extract
