"""The features of a set of images: one pass over the images, bounded memory, work shared among replicas."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Int, Int32, Int64
from tqdm import tqdm

from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.metrics.feature_moments import FeatureMoments
from biggan_tf.types import ByteImages, Images, LabelledBatches

MAX_KEPT = 50_000
_PerReplica: TypeAlias = tf.distribute.DistributedValues
_Extract: TypeAlias = Callable[[ByteImages | Images], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class FeatureBank:
    """The moments of the features of all images, and the features themselves of the first images.

    Attributes:
        moments: Mean and covariance of the features of all images.
        features: The features of the first N images, at most `MAX_KEPT` by default.
        logits: What the extractor answers for the same images and the K classes that it was trained on.
        labels: The labels of the same images.
        class_counts: How many of all images each class has, by label. Images whose label is negative are not counted.
    """

    moments: FeatureMoments
    features: Float[np.ndarray, "N F"]
    logits: Float[np.ndarray, "N K"]
    labels: Int32[np.ndarray, " N"]
    class_counts: Int64[np.ndarray, " C"]

    @classmethod
    def merged(cls, parts: Iterable[FeatureBank]) -> FeatureBank:
        """The bank of the union of several sets of images, such as those of several workers."""
        parts = list(parts)
        return cls(
            FeatureMoments.merged(part.moments for part in parts),
            np.concatenate([part.features for part in parts])[:MAX_KEPT],
            np.concatenate([part.logits for part in parts])[:MAX_KEPT],
            np.concatenate([part.labels for part in parts])[:MAX_KEPT],
            functools.reduce(add_counts, (part.class_counts for part in parts)),
        )


def count_classes(labels: Int[np.ndarray, " N"]) -> Int64[np.ndarray, " C"]:
    """How many images each class has, up to the largest label; negative labels stand for no class."""
    return np.bincount(labels[labels >= 0]).astype(np.int64)


def add_counts(a: Int64[np.ndarray, " A"], b: Int64[np.ndarray, " B"]) -> Int64[np.ndarray, " C"]:
    """The counts of two sets of images together, of which one may know of more classes."""
    total = np.zeros(max(len(a), len(b)), np.int64)
    total[: len(a)] += a
    total[: len(b)] += b
    return total


def collect(
    batches: LabelledBatches,
    extractor: FeatureExtractor,
    *,
    num_images: int = 0,
    strategy: tf.distribute.Strategy | None = None,
    max_kept: int = MAX_KEPT,
    progress: str = "",
) -> FeatureBank:
    """Extracts the features of labelled batches.

    Args:
        batches: Images (bytes, or floats in [-1, 1]) and labels.
        extractor: The network that turns images into features.
        num_images: The images after this many are not read; fewer are an error. 0: all images are taken.
        strategy: Its replicas share each batch; None: one device.
        max_kept: For how many images the features themselves are kept, not only their moments.
        progress: The title of a progress bar; "": no bar.
    """
    extract = extractor if strategy is None else _replicated(extractor, strategy)
    moments: FeatureMoments | None = None
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    counts = np.zeros(0, np.int64)
    seen = 0
    with tqdm(total=num_images or None, desc=progress, unit="image", disable=not progress) as bar:
        for images, labels in batches:
            count = images.shape[0]
            if num_images:
                count = min(count, num_images - seen)
            features, logits = extract(images[:count])
            block = FeatureMoments.of(features)
            moments = block if moments is None else moments.merge(block)
            room = max(max_kept - seen, 0)
            labels = np.asarray(labels)[:count].astype(np.int32)
            counts = add_counts(counts, count_classes(labels))
            kept.append((features[:room], logits[:room], labels[:room]))
            seen += count
            bar.update(count)
            if seen == num_images:
                break
    if moments is None or (num_images and seen < num_images):
        raise ValueError(f"there must be {num_images or 'some'} images. Received: {seen}")
    features, logits, labels = (np.concatenate(column) for column in zip(*kept, strict=True))
    return FeatureBank(moments, features, logits, labels, counts)


def _replicated(extractor: FeatureExtractor, strategy: tf.distribute.Strategy) -> _Extract:
    """The extractor on all replicas, each with its part of the batch."""
    replicas = strategy.num_replicas_in_sync

    @tf.function
    def run(parts: _PerReplica) -> tuple[_PerReplica, _PerReplica]:
        return strategy.run(extractor.compute, (parts,))

    def extract(images: ByteImages | Images) -> tuple[np.ndarray, np.ndarray]:
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
