"""JODI, the Jacobian orthogonality deviation index: how far a generator is from keeping angles and ratios of lengths.

With the Jacobian J [D, n] of the D values of an image with respect to the n values of a latent or a style, and its
singular values s,

    JODI = n ||J^T J||_F^2 / (tr J^T J)^2 - 1 = mean((s^2 / mean(s^2) - 1)^2),

averaged over images. 0: all directions change the image by as much and independently of one another, as an isometry
up to scale does. n - 1: one direction changes it, and no other one does. It is the D of `spectra.isometry_deviation`,
which measures the same of a layer, taken of the whole network.

It is defined here, after no publication that we could read; numbers of this name from elsewhere may mean another thing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from jaxtyping import Float

from biggan_tf.evaluation.metrics.spectra import isometry_deviation
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler, style_generator
from biggan_tf.progress import track
from biggan_tf.types import Images, RowKeys, Tensor

SPACES = {"jodi_z": "z", "jodi_w": "w"}
METHOD = "all directions, forward mode"  # for the protocol


def jacobian_isometry(name: str, sampler: GeneratorSampler, num_images: int = 20, progress: bool = False) -> float:
    """Measures JODI.

    Args:
        name: "jodi_z", or "jodi_w" for a generator with styles, where one style steers all layers.
        sampler: Draws latents, classes and noises, and truncates as it does.
        num_images: Over how many images it is averaged. Each costs as many passes as the space has dimensions.
        progress: Whether a bar counts the images; not by default.
    """
    deviations = []
    for number in track(range(num_images), num_images, name, "image", progress):
        z = tf.convert_to_tensor(sampler.latents([number]), tf.float32)
        embedding = sampler.embed(sampler.labels([number])) if sampler.num_classes else None
        point, images_of = _map(SPACES[name], sampler, z, embedding, sampler.keys([number]))
        deviations.append(isometry_deviation(jacobian(images_of, point, sampler.batch_size)[None]))
    return float(np.mean(deviations))


def jacobian(
    function: Callable[[Float[Tensor, "N I"]], Images], point: Float[Tensor, "1 I"], batch_size: int = 32
) -> Float[np.ndarray, "I D"]:
    """The derivative of all values of a function's result with respect to each input, at one point.

    Args:
        function: Computes each row by itself.
        point: Where.
        batch_size: How many inputs are varied at a time.
    """
    size, rows = point.shape[1], []
    for start in range(0, size, batch_size):
        directions = tf.eye(size, dtype=point.dtype)[start : start + batch_size]
        inputs = tf.repeat(point, len(directions), axis=0)
        with tf.autodiff.ForwardAccumulator(inputs, directions) as forward:
            result = function(inputs)
        slopes = forward.jvp(result, tf.UnconnectedGradients.ZERO)
        rows.append(np.asarray(slopes, np.float64).reshape(len(directions), -1))
    return np.concatenate(rows)


def _map(
    space: str, sampler: GeneratorSampler, z: Tensor, embedding: Tensor | None, keys: RowKeys
) -> tuple[Float[Tensor, "1 I"], Callable[[Float[Tensor, "N I"]], Images]]:
    """The point of an image in a space, and the function from there to images with its class and noise."""

    def alike(rows: Tensor, values: Tensor) -> Tensor:
        return tf.repeat(values, rows.shape[0], axis=0)

    if space == "z":

        def of_latents(rows: Tensor) -> Images:
            given = None if embedding is None else alike(rows, embedding)
            return sampler.uncompiled_images(rows, given, alike(rows, keys))

        return z, of_latents
    generator = style_generator(sampler.generator)
    psi = 1.0 if sampler.truncation is None else sampler.truncation

    def of_styles(rows: Tensor) -> Images:
        ws = tf.repeat(rows[:, None], generator.num_styles, axis=1)
        ws = generator.truncated(ws, psi, sampler.cutoff)
        return generator.synthesise(generator.styles_from(ws), alike(rows, keys))

    return tf.convert_to_tensor(generator.map(z, embedding)), of_styles
