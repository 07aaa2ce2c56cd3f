"""Equivariance (Karras et al. 2021, arXiv:2106.12423, appendix E): does a picture move as its coordinates are moved?

A generator that computes with coordinates of the plane draws a picture, and draws it again with the coordinates shifted
or turned. The second one is compared with the first one, shifted or turned as an image. The metric is the peak
signal-to-noise ratio in dB, over the pixels that the motion leaves valid; the range of values is 2:

    EQ = 10 log10(2^2 / mean (moved image - image of the moved coordinates)^2)
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from jaxtyping import Bool, Float

from biggan_tf.evaluation.metrics import image_motions
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.progress import track

# The largest shift along an axis, as a share of the image's width.
LARGEST_SHIFT = 0.125
# The largest turn, in radians.
LARGEST_TURN = np.pi


class _Error:
    """The mean square of differences where a mask holds."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(
        self,
        one: Float[np.ndarray, "N H W C"],
        other: Float[np.ndarray, "N H W C"],
        mask: Bool[np.ndarray, "H W"],
    ) -> None:
        difference = (one.astype(np.float64) - other)[:, mask]
        self._sum += float(np.sum(np.square(difference)))
        self._count += difference.size

    def decibels(self) -> float:
        """The ratio; infinite where there is no difference, and NaN where no pixel was valid."""
        if not self._count:
            return float("nan")
        mean = self._sum / self._count
        return float("inf") if mean == 0.0 else float(10 * np.log10(4 / mean))


def equivariance(sampler: GeneratorSampler, *, num_images: int = 1000, progress: bool = False) -> dict[str, float]:
    """Measures EQ-T for whole and for fractional pixels, and EQ-R.

    The motions are drawn by the sampler's seed, one of each kind for every batch. The paper takes 50,000 images.

    Args:
        sampler: The generator, with all that decides its images. Its `plane` is moved meanwhile and then set back.
        num_images: How many images are drawn.
        progress: Whether a bar counts the batches; not by default.

    Returns:
        "eq_t_integer", "eq_t_fractional" and "eq_r", in dB; more is better.

    Raises:
        ValueError: If the generator has no coordinates that can be moved.
    """
    plane = sampler.generator.plane
    if plane is None:
        raise ValueError(
            "equivariance needs a generator that draws from coordinates, such as StyleGAN3's. Received: one of the "
            f"family {sampler.generator.config.kind}; leave the metric out."
        )
    size = sampler.generator.config.resolution
    before = np.asarray(plane)
    errors = {name: _Error() for name in ("eq_t_integer", "eq_t_fractional", "eq_r")}
    random = np.random.default_rng(sampler.seed)
    try:
        batches = list(_batches(num_images, sampler.batch_size))
        for numbers in track(batches, len(batches), "equivariance", "batch", progress):
            original = _images(sampler, plane, before, numbers)
            x, y = random.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2) * size
            moved = image_motions.shifted_by_pixels(original, round(x), round(y))
            drawn = _images(sampler, plane, before @ _shift(round(x) / size, round(y) / size), numbers)
            errors["eq_t_integer"].add(moved.images, drawn, moved.mask)
            moved = image_motions.shifted(original, x, y)
            drawn = _images(sampler, plane, before @ _shift(x / size, y / size), numbers)
            errors["eq_t_fractional"].add(moved.images, drawn, moved.mask)
            turn = image_motions.rotation(random.uniform(-LARGEST_TURN, LARGEST_TURN))
            moved = image_motions.turned(original, turn)
            matrix = np.eye(3)
            matrix[:2, :2] = turn.T  # the picture is turned as the coordinates are turned back
            filtered = image_motions.filtered_as_turned(_images(sampler, plane, before @ matrix, numbers), turn)
            errors["eq_r"].add(moved.images, filtered.images, moved.mask & filtered.mask)
    finally:
        plane.assign(before)
    return {name: error.decibels() for name, error in errors.items()}


def motions(sampler: GeneratorSampler) -> str:
    """How far images are moved, for the protocol: a motion is drawn for the images of a batch together."""
    return (
        f"shifts to {LARGEST_SHIFT:g} of the width, turns to {LARGEST_TURN / np.pi * 180:g} degrees, one of each kind "
        f"for {sampler.batch_size} images"
    )


def _batches(num_images: int, batch_size: int) -> Iterator[np.ndarray]:
    for start in range(0, num_images, batch_size):
        yield np.arange(start, min(start + batch_size, num_images))


def _images(
    sampler: GeneratorSampler, plane: keras.Variable, matrix: Float[np.ndarray, "3 3"], numbers: np.ndarray
) -> Float[np.ndarray, "N H W 3"]:
    """The images with these numbers under a transformation of the plane."""
    plane.assign(matrix)
    embedding = sampler.embed(sampler.labels(numbers))
    return np.asarray(sampler.float_images(sampler.latents(numbers), embedding, sampler.keys(numbers)))


def _shift(x: float, y: float) -> Float[np.ndarray, "3 3"]:
    """The transformation of the plane that moves the picture by (x, y)."""
    return np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]])
