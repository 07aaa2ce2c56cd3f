"""Perceptual path length (Karras et al., 2019, section 4.1) under the features of an extractor."""

from __future__ import annotations

from typing import Any

import numpy as np

from biggan_tf.evaluation.features import FeatureExtractor
from biggan_tf.evaluation.generator_sampler import GeneratorSampler


def perceptual_path_length(
    sampler: GeneratorSampler, extractor: FeatureExtractor, *, num_pairs: int = 1000, epsilon: float = 1e-3
) -> float:
    """How far the features move, squared, for a small step along the great circle between two latents.

    Distances are between features scaled to unit length, so that the number does not depend on their size. As in the
    original, the widest and the narrowest percent of the steps are left out.
    """
    random = np.random.default_rng(sampler.seed)
    lengths: list[np.ndarray] = []
    for start in range(0, num_pairs, sampler.batch_size):
        numbers = np.arange(start, min(start + sampler.batch_size, num_pairs))
        first, second = (sampler.latents(2 * numbers + i).numpy() for i in (0, 1))
        share = random.uniform(size=(len(numbers), 1))
        embedding = sampler.embed(sampler.labels(numbers))
        near, far = (
            _unit(extractor(sampler.float_images(great_circle(first, second, share + step), embedding))[0])
            for step in (0.0, epsilon)
        )
        lengths.append(np.sum((near - far) ** 2, axis=1) / epsilon**2)
    values = np.concatenate(lengths)
    low, high = np.percentile(values, [1, 99])
    return float(np.mean(values[(values >= low) & (values <= high)]))


def great_circle(first: np.ndarray, second: np.ndarray, share: Any) -> np.ndarray:
    """Latents between two, at a length between theirs; straight interpolation would pass nearer to the origin."""
    lengths = [np.linalg.norm(z, axis=1, keepdims=True) for z in (first, second)]
    units = [z / np.maximum(length, 1e-12) for z, length in zip((first, second), lengths, strict=True)]
    angle = np.arccos(np.clip(np.sum(units[0] * units[1], axis=1, keepdims=True), -1.0, 1.0))
    sine = np.maximum(np.sin(angle), 1e-7)
    direction = (np.sin((1 - share) * angle) * units[0] + np.sin(share * angle) * units[1]) / sine
    # Latents in one direction have no circle between them.
    direction = np.where(angle < 1e-4, (1 - share) * units[0] + share * units[1], direction)
    return direction * ((1 - share) * lengths[0] + share * lengths[1])


def _unit(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
