"""Directions in the space of styles along which pictures can be edited, none of which needs labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from biggan_tf.contracts.style_generator import StyleGenerator
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler, style_generator
from biggan_tf.evaluation.sampling.style_plans import StylePlan, labels_of, styles_of


class Directions(NamedTuple):
    """Unit vectors in the space of styles, the most important first.

    Attributes:
        vectors: The directions.
        strengths: How much each does: the largest eigenvalue first. Of `from_modulations` it is the squared length of
            the change of all channels' scales, of `principal` the variance of w.
    """

    vectors: Float[np.ndarray, "K V"]
    strengths: Float[np.ndarray, " K"]


def from_modulations(generator: StyleGenerator, layers: Sequence[int] | None = None) -> Directions:
    """The directions in which the scales of channels change most (SeFa; Shen and Zhou 2021, arXiv:2007.06600).

    Args:
        generator: Its modulation matrices are all that counts.
        layers: Which layers' matrices; None: all.

    Raises:
        ValueError: If there is no such layer.
    """
    matrices = [np.asarray(matrix, np.float64) for matrix in generator.modulations()]
    chosen = range(len(matrices)) if layers is None else layers
    if not len(chosen) or min(chosen) < 0 or max(chosen) >= len(matrices):
        raise ValueError(f"layers must lie in 0 to {len(matrices) - 1}. Received: {list(chosen)}")
    stacked = np.concatenate([matrices[layer] for layer in chosen], axis=1)  # [V, C], the paper's A transposed
    # Equation 5: A^T A n = lambda n, for the unit vectors n that maximise |A n|^2.
    return _eigenvectors(stacked @ stacked.T)


def principal(w: Float[np.ndarray, "N V"]) -> Directions:
    """The principal components of styles (GANSpace; Härkönen et al. 2020, arXiv:2004.02546, section 2).

    Args:
        w: The styles of many latents, 2 or more.
    """
    if len(w) < 2:
        raise ValueError(f"Principal components need two styles or more. Received: {len(w)}")
    centred = w.astype(np.float64) - w.mean(axis=0, dtype=np.float64)
    return _eigenvectors(centred.T @ centred / (len(w) - 1))


def drawn_styles(sampler: GeneratorSampler, num_styles: int) -> Float[np.ndarray, "N V"]:
    """The styles, not truncated, of the images number 0 to `num_styles` - 1."""
    generator = style_generator(sampler.generator)
    parts = []
    for start in range(0, num_styles, 1024):
        numbers = list(range(start, min(start + 1024, num_styles)))
        embedding = sampler.embed(sampler.labels(numbers)) if sampler.num_classes else None
        parts.append(np.asarray(generator.map(sampler.latents(numbers), embedding)))
    return np.concatenate(parts)


def edits(
    sampler: GeneratorSampler,
    directions: Directions,
    w: Float[np.ndarray, "N V"],
    *,
    number: int = 0,
    rows: int = 6,
    columns: int = 7,
    reach: float = 3.0,
) -> StylePlan:
    """One picture moved along each of the first directions, a row for each.

    Args:
        sampler: Draws the picture, and truncates as it does.
        directions: The directions.
        w: Styles of many latents; their deviation along a direction is the unit of a step.
        number: Which picture.
        rows: How many directions.
        columns: How many places on each, an odd number to show the picture itself.
        reach: How many deviations the outermost places are away.
    """
    label = labels_of(sampler, [], number + 1)[number : number + 1] if sampler.num_classes else []
    picture = styles_of(sampler, label, number + 1)[number]
    vectors = directions.vectors[:rows]
    units = (w - w.mean(axis=0)).astype(np.float64) @ vectors.T
    steps = np.linspace(-reach, reach, columns)
    offsets = steps[None, :, None] * (units.std(axis=0)[:, None] * vectors)[:, None]
    ws = picture[None, None] + offsets[:, :, None]
    captions = tuple(f"direction {i + 1}" for i in range(len(vectors)))
    return StylePlan(ws.astype(np.float32), None, captions, tuple(f"{step:+.1f}" if step else "0" for step in steps))


def _eigenvectors(matrix: Float[np.ndarray, "V V"]) -> Directions:
    """Of a symmetric matrix. A vector and its negative are the same direction; its largest entry is positive here."""
    values, vectors = np.linalg.eigh(matrix)
    vectors = vectors[:, ::-1].T
    largest = np.take_along_axis(vectors, np.argmax(np.abs(vectors), axis=1)[:, None], axis=1)
    return Directions(vectors * np.sign(largest), np.maximum(values[::-1], 0.0))
