"""Images of one generator at different latents, for studies that change nothing else."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import Float32
from scipy.stats import chi

from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler

BATCH_SIZE = 128  # of images that are computed at a time; it changes none of them


def float_images(
    sampler: GeneratorSampler, count: int, z: Float32[np.ndarray, "N Z"] | None = None
) -> Float32[np.ndarray, "N H W 3"]:
    """Images in [-1, 1], all of the first class where there are classes, so that the latents alone make them differ.

    Args:
        sampler: The sampler of the generator; its truncation acts on the latents that it draws, or on the styles.
        count: How many images.
        z: Their latents; None: those of the sampler.
    """
    parts = []
    for start in range(0, count, sampler.batch_size):
        numbers = np.arange(start, min(start + sampler.batch_size, count))
        latents = sampler.latents(numbers) if z is None else tf.constant(z[numbers])
        embedding = sampler.embed(np.zeros(len(numbers), np.int32))
        parts.append(np.asarray(sampler.float_images(latents, embedding, sampler.keys(numbers))))
    return np.concatenate(parts)


def latents_in_ball(random: np.random.Generator, count: int, z_dim: int, radius: float) -> Float32[np.ndarray, "N Z"]:
    """Normal latents, of those alone that lie in a ball about 0.

    Args:
        random: Decides the latents. The same generator gives the same directions for each radius.
        count: How many.
        z_dim: Values of a latent.
        radius: The radius of the ball, in units of the root of `z_dim`, which is about the length of a normal latent.
    """
    directions = random.standard_normal((count, z_dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # The length of a normal latent has the chi distribution; its inverse draws from the part below the radius.
    inside = chi.cdf(radius * np.sqrt(z_dim), z_dim)
    lengths = chi.ppf(random.uniform(size=(count, 1)) * inside, z_dim)
    return (directions * lengths).astype(np.float32)
