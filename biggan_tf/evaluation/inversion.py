"""Finds the styles, and the noise, that a generator draws a given picture from.

The search is that of Karras et al. 2020, arXiv:1912.04958, appendix D.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float, UInt8
from PIL import Image

from biggan_tf import files, picture_files
from biggan_tf.config import checks
from biggan_tf.contracts.style_generator import NoiseMap, StyleGenerator
from biggan_tf.evaluation import noise_maps
from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.sampling.directions import drawn_styles
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler, style_generator
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.progress import track
from biggan_tf.types import Features, Images, RowKeys, Scalar, Tensor

ONE_STYLE, LAYER_STYLES = "w", "w+"
SPACES = (ONE_STYLE, LAYER_STYLES)


@dataclasses.dataclass(frozen=True)
class InversionOptions:
    """How styles are searched for.

    The defaults are the paper's but for the two distances, the noise, which is not searched for, and the number of
    styles that the mean is taken from, which is 10,000 in the paper.

    Attributes:
        space: "w": one style for all layers, which keeps to what the mapping can give. "w+": a style for each layer,
            which comes nearer to any picture and edits less well.
        num_steps: How many steps of Adam are taken.
        learning_rate: The largest rate, after the ramp at the beginning and before the one at the end.
        ramp_up: The share of the steps in which the rate rises from 0.
        ramp_down: The share of the steps in which it falls to 0 again, as a cosine.
        style_noise: The deviation of the noise that is added to styles at first, in units of the length of w - mean.
        style_noise_until: The share of the steps in which that noise falls to 0.
        pixel_weight: The weight of the mean squared difference of pixels, which lie in [-1, 1].
        feature_weight: The weight of the squared difference of features scaled to unit length.
        search_noise: Whether the noise of the layers is searched for, too, as in the paper; by default it is that of
            `seed`, so that a served model draws the same picture.
        noise_weight: The weight of the correlations in noise that is searched for, see `noise_maps.correlation`. The
            paper's suits 256 pixels and more; in small maps even independent numbers are correlated by chance, and 1 is
            enough at 8 pixels.
        num_drawn: How many styles the mean, where the search begins, and the deviation are taken from.
        seed: Decides the noise on styles, and that of the picture.
    """

    space: str = ONE_STYLE
    num_steps: int = 1000
    learning_rate: float = 0.1
    ramp_up: float = 0.05
    ramp_down: float = 0.25
    style_noise: float = 0.05
    style_noise_until: float = 0.75
    pixel_weight: float = 1.0
    feature_weight: float = 1.0
    search_noise: bool = False
    noise_weight: float = 1e5
    num_drawn: int = 1000
    seed: int = 0

    def problems(self) -> Iterator[str]:
        """What is wrong with these values, a sentence each."""
        yield from checks.choice("space", self.space, SPACES)
        for name in ("num_steps", "num_drawn"):
            if getattr(self, name) < 1:
                yield f"{name} must be at least 1. Received: {getattr(self, name)}"
        for name in ("learning_rate", "pixel_weight", "feature_weight", "noise_weight"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                yield f"{name} must be 0 or more. Received: {value}"

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0 to `num_steps` - 1."""
        share = step / self.num_steps
        down = min(1.0, (1.0 - share) / self.ramp_down) if self.ramp_down else 1.0
        up = min(1.0, share / self.ramp_up) if self.ramp_up else 1.0
        return self.learning_rate * up * (0.5 - 0.5 * math.cos(math.pi * down))

    def noise(self, step: int) -> float:
        """The deviation of the noise on styles in a step, in units of the length of w - mean."""
        share = step / self.num_steps
        left = max(0.0, 1.0 - share / self.style_noise_until) if self.style_noise_until else 0.0
        return self.style_noise * left**2


class Inversion(NamedTuple):
    """What was found.

    Attributes:
        ws: The style of each layer, [1, num_styles, V].
        keys: The key of the noise that the picture is synthesised with, or that the search for noise began with.
        noise: The noise of each layer that was found; (): it was not searched for.
        picture: The picture of these styles.
        begin: The picture of the mean style, where the search began.
        distances: "pixels" and, where features were compared, "features": at the end, and with "_of_mean" behind the
            name at the beginning.
    """

    ws: Float[np.ndarray, "1 layers V"]
    keys: RowKeys
    noise: tuple[Float[np.ndarray, "1 _ _ 1"], ...]
    picture: UInt8[np.ndarray, "H W 3"]
    begin: UInt8[np.ndarray, "H W 3"]
    distances: dict[str, float]


def invert(
    sampler: GeneratorSampler,
    target: UInt8[np.ndarray, "H W 3"],
    options: InversionOptions,
    extractor: FeatureExtractor | None = None,
    progress: bool = False,
) -> Inversion:
    """Searches for the styles of a picture.

    Args:
        sampler: The sampler of the generator; it draws the styles whose mean the search begins at.
        target: The picture, of the generator's resolution.
        options: How.
        extractor: The network whose features are compared; None: pixels alone are.
        progress: Whether a bar counts the steps; not by default.

    Raises:
        ValueError: If the generator has no styles, or no noise that could be searched for, the picture has another
            size, or an option is wrong.
    """
    generator = style_generator(sampler.generator)
    size = generator.config.resolution
    if target.shape != (size, size, 3):
        raise ValueError(f"The picture must have shape ({size}, {size}, 3). Received: {target.shape}")
    wrong = list(options.problems())
    if wrong:
        raise ValueError(" ".join(wrong))
    w = drawn_styles(sampler, options.num_drawn)
    mean = w.mean(axis=0)
    length = float(np.sqrt(np.sum((w - mean) ** 2, axis=1).mean()))
    search = _Search(generator, target, options, extractor)
    begin = np.tile(mean[None, None], (1, generator.num_styles, 1)).astype(np.float32)
    shape = (1, 1 if options.space == ONE_STYLE else generator.num_styles, len(mean))
    before, start = search.distances(begin), search.picture_of(begin)
    found = search.run(np.broadcast_to(mean, shape).astype(np.float32), length, progress)
    ws = np.broadcast_to(found, begin.shape).copy()
    after = {**search.distances(ws), **{f"{name}_of_mean": value for name, value in before.items()}}
    noise = tuple(each.numpy() for each in search.noise)
    return Inversion(ws, search.keys, noise, search.picture_of(ws), start, after)


class _Search:
    """The loss of styles, and steps that lower it."""

    def __init__(
        self,
        generator: StyleGenerator,
        target: UInt8[np.ndarray, "H W 3"],
        options: InversionOptions,
        extractor: FeatureExtractor | None,
    ):
        self._generator, self._options, self._extractor = generator, options, extractor
        self._target = tf.constant(target[None].astype(np.float32) / 127.5 - 1.0)
        # As an export does it, so that a served model gives the same picture for the seed.
        self.keys = tf.constant([[options.seed, -1]], tf.int64)
        self.noise = [tf.Variable(noise_maps.normalised(each)) for each in self._first_noise()]
        self._features = None if extractor is None else self._features_of(self._target)

    def _first_noise(self) -> list[NoiseMap]:
        """Where the search for noise begins; empty: it is not searched for."""
        if not self._options.search_noise:
            return []
        maps = self._generator.noise_maps(self.keys)
        if not maps or self._generator.noise_correlation:
            raise ValueError(
                "search_noise needs a generator that adds independent noise, such as StyleGAN2 with noise=random and "
                f"noise_correlation=0. Received: {self._generator.config.kind} with {len(maps)} noise maps and a "
                f"correlation of {self._generator.noise_correlation:g}; leave search_noise out."
            )
        return maps

    def run(
        self, begin: Float[np.ndarray, "1 L V"], length: float, progress: bool = False
    ) -> Float[np.ndarray, "1 L V"]:
        """Takes all steps of Adam from some styles on; noise that is searched for moves with them."""
        styles = tf.Variable(begin)
        optimizer = keras.optimizers.Adam(beta_1=0.9, beta_2=0.999)
        variables = [styles, *self.noise]
        optimizer.build(variables)
        key = tf.constant([self._options.seed, 4])

        @tf.function
        def step(number: Tensor, deviation: Scalar) -> None:
            noise = deviation * tf.random.stateless_normal(styles.shape, tf.stack([key[0] + number, key[1]]))
            with tf.GradientTape() as tape:
                distances = self._distances(styles + noise)
                loss = self._options.pixel_weight * distances["pixels"]
                loss += self._options.feature_weight * distances.get("features", 0.0)
                if self.noise:
                    loss += self._options.noise_weight * noise_maps.correlation(self.noise)
            optimizer.apply(tape.gradient(loss, variables), variables)
            for each in self.noise:
                each.assign(noise_maps.normalised(each))

        num_steps = self._options.num_steps
        for number in track(range(num_steps), num_steps, "search", "step", progress):
            optimizer.learning_rate.assign(self._options.rate(number))
            step(tf.constant(number), tf.constant(length * self._options.noise(number), tf.float32))
        return styles.numpy()

    def images_of(self, styles: Float[Tensor, "1 L V"]) -> Images:
        """The picture of one style, or of a style for each layer, with the noise as it is now."""
        generator = self._generator
        ws = styles if styles.shape[1] == generator.num_styles else tf.repeat(styles, generator.num_styles, axis=1)
        layers = generator.styles_from(ws)
        return (
            generator.synthesise_with_noise(layers, self.noise)
            if self.noise
            else generator.synthesise(layers, self.keys)
        )

    def picture_of(self, styles: Float[np.ndarray, "1 L V"]) -> UInt8[np.ndarray, "H W 3"]:
        """The picture of some styles in grey levels."""
        return np.asarray(to_bytes(self.images_of(tf.constant(styles))))[0]

    def distances(self, styles: Float[np.ndarray, "1 L V"]) -> dict[str, float]:
        """How far the picture of some styles is from the target, by kind."""
        return {name: float(np.asarray(value)) for name, value in self._distances(tf.constant(styles)).items()}

    def _distances(self, styles: Float[Tensor, "1 L V"]) -> dict[str, Scalar]:
        images = self.images_of(styles)
        distances = {"pixels": tf.reduce_mean(tf.square(images - self._target))}
        if self._features is not None:
            distances["features"] = tf.reduce_sum(tf.square(self._features_of(images) - self._features))
        return distances

    def _features_of(self, images: Images) -> Features:
        if self._extractor is None:
            raise ValueError("Features need an extractor. Received: none")
        return tf.math.l2_normalize(self._extractor.compute(images)[0], axis=1)


def read_picture(path: str, resolution: int) -> UInt8[np.ndarray, "H W 3"]:
    """Reads a picture, upright, cuts the square in its middle out, and resizes it.

    Args:
        path: A PNG, JPEG or WebP file.
        resolution: The height and width of the result.

    Raises:
        ValueError: If it is no picture, or has more than `picture_files.MAX_PIXELS`.
    """
    try:
        picture = Image.fromarray(picture_files.read_picture(files.read_bytes(path)))
    except (OSError, ValueError) as error:
        raise ValueError(f"--input must be a picture, such as a PNG or JPEG. Received: {path}: {error}") from error
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((resolution, resolution), Image.Resampling.LANCZOS))
