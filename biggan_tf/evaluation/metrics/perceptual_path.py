"""Perceptual path length (Karras et al., 2019, arXiv:1812.04948, section 4.1) under the features of an extractor."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.sheet_plans import great_circle
from biggan_tf.progress import track


def perceptual_path_length(
    sampler: GeneratorSampler,
    extractor: FeatureExtractor,
    *,
    num_pairs: int = 1000,
    epsilon: float = 1e-3,
    progress: bool = False,
) -> float:
    """How far the features move, squared, for a small step along the great circle between two latents.

    The numbers are comparable with one another and not with published path lengths, from which they differ in three
    ways: the features are the extractor's last ones, scaled to unit length, in the place of LPIPS's weighted layers of
    VGG16; a step is ten times as long; and the great circle goes between latents that keep their lengths. As in the
    original, the widest and the narrowest percent of the steps are left out.

    Args:
        sampler: Draws pairs of latents with one class for both, and their images.
        extractor: The network whose features are compared, where the paper takes VGG16's.
        num_pairs: How many steps are measured. The paper takes 100,000.
        epsilon: The length of a step, as a share of the way from one latent to the other. The paper takes 1e-4.
        progress: Whether a bar counts the batches; not by default.
    """
    random = np.random.default_rng(sampler.seed)
    sampler = sampler.in_float32()  # in bfloat16 the step is smaller than what rounding changes
    lengths: list[np.ndarray] = []
    starts = range(0, num_pairs, sampler.batch_size)
    for start in track(starts, len(starts), "ppl", "batch", progress):
        numbers = np.arange(start, min(start + sampler.batch_size, num_pairs))
        first, second = (np.asarray(sampler.latents(2 * numbers + i)) for i in (0, 1))
        share = random.uniform(size=(len(numbers), 1))
        embedding = sampler.embed(sampler.labels(numbers))
        near, far = (
            unit_length(extractor(sampler.float_images(great_circle(first, second, share + step), embedding))[0])
            for step in (0.0, epsilon)
        )
        # Karras et al., 2019, equation 2: E[d(G(slerp(z1, z2; t)), G(slerp(z1, z2; t + epsilon))) / epsilon^2].
        lengths.append(np.sum((near - far) ** 2, axis=1) / epsilon**2)
    values = np.concatenate(lengths)
    low, high = np.percentile(values, [1, 99])
    return float(np.mean(values[(values >= low) & (values <= high)]))


def unit_length(features: Float[np.ndarray, "N F"]) -> Float64[np.ndarray, "N F"]:
    """Features divided by their lengths, whose distances path lengths are made of."""
    features = features.astype(np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
