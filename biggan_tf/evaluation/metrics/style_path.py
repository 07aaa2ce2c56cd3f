"""Perceptual path length in z and in w as StyleGAN's authors measure it, under the features of an extractor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float64

from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.metrics.perceptual_path import unit_length
from biggan_tf.evaluation.protocol import PathProtocol
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler, style_generator
from biggan_tf.evaluation.sampling.sheet_plans import great_circle
from biggan_tf.progress import track
from biggan_tf.types import Images, RowKeys, Tensor

# By the name of the metric: the space, and where on the way a step begins.
PATHS = {
    "ppl_z_full": ("z", "full"),
    "ppl_z_end": ("z", "end"),
    "ppl_w_full": ("w", "full"),
    "ppl_w_end": ("w", "end"),
}
_LARGEST = 256  # pixels; larger images are averaged down to this size
_KEPT = "percentiles 1 to 99"
_WAYS_IN_Z = "great circle that keeps lengths"


@dataclasses.dataclass(frozen=True)
class StylePath:
    """How far the features of images move, squared, for a small step between two latents or two styles.

    The numbers are comparable with one another and not with published ones: the features are not those of VGG16 with
    LPIPS's weights, and a distance is that of feature vectors scaled to unit length. A way in z is a great circle that
    keeps the lengths of latents, since a family that does not scale z itself was trained on no others.

    Attributes:
        num_pairs: How many steps are measured. The authors take 50,000.
        epsilon: The length of a step, as a share of the way. The authors take 1e-4.
    """

    num_pairs: int = 1000
    epsilon: float = 1e-4

    def protocol(self, names: Iterable[str]) -> PathProtocol:
        """What decides the numbers apart from the generator and the features.

        Args:
            names: Which numbers, some of `PATHS`.
        """
        images = f"box to {_LARGEST}, no crop"
        in_z = any(PATHS[name][0] == "z" for name in names)
        return PathProtocol(self.num_pairs, self.epsilon, images, kept=_KEPT, ways_in_z=_WAYS_IN_Z if in_z else "")

    def measure(
        self, name: str, sampler: GeneratorSampler, extractor: FeatureExtractor, progress: bool = False
    ) -> float:
        """Measures one kind of path.

        Args:
            name: One of `PATHS`.
            sampler: Draws pairs with one class and one noise for both, and truncates styles as it does.
            extractor: The network whose features are compared.
            progress: Whether a bar counts the batches; not by default.
        """
        space, part = PATHS[name]
        sampler = sampler.in_float32()  # in bfloat16 a step of 1e-4 is smaller than what rounding changes
        random = np.random.default_rng(sampler.seed)
        lengths = []
        starts = range(0, self.num_pairs, sampler.batch_size)
        for start in track(starts, len(starts), name, "batch", progress):
            numbers = np.arange(start, min(start + sampler.batch_size, self.num_pairs))
            share = random.uniform(size=(len(numbers), 1)) if part == "full" else np.zeros((len(numbers), 1))
            near, far = (
                unit_length(extractor(_reduced(images))[0]) for images in self._steps(space, sampler, numbers, share)
            )
            # Karras et al. 2019, arXiv:1812.04948, equations 2 and 3: E[d(G(t), G(t + epsilon)) / epsilon^2].
            lengths.append(np.sum((near - far) ** 2, axis=1) / self.epsilon**2)
        return _kept_mean(np.concatenate(lengths))

    def _steps(
        self, space: str, sampler: GeneratorSampler, numbers: np.ndarray, share: Float[np.ndarray, "N 1"]
    ) -> list[Images]:
        """The images at both ends of each step."""
        first, second = (np.asarray(sampler.latents(2 * numbers + i), np.float64) for i in (0, 1))
        embedding = sampler.embed(sampler.labels(numbers)) if sampler.num_classes else None
        keys, shares = sampler.keys(numbers), (share, share + self.epsilon)
        if space == "z":
            ways = [great_circle(first, second, s).astype(np.float32) for s in shares]
            return [sampler.float_images(z, embedding, keys) for z in ways]
        generator = style_generator(sampler.generator)
        ends = [np.asarray(generator.map(tf.constant(z, tf.float32), embedding), np.float64) for z in (first, second)]
        return [_of_style(sampler, (1 - s) * ends[0] + s * ends[1], keys) for s in shares]


def _of_style(sampler: GeneratorSampler, w: Float64[np.ndarray, "N V"], keys: RowKeys) -> Images:
    generator = style_generator(sampler.generator)
    ws = tf.repeat(tf.constant(w, tf.float32)[:, None], generator.num_styles, axis=1)
    if sampler.truncation is not None:
        ws = generator.truncated(ws, sampler.truncation, sampler.cutoff)
    return sampler.float_images_of_styles(ws, keys)


def _reduced(images: Images) -> Float[Tensor, "N H2 W2 3"]:
    factor = images.shape[1] // _LARGEST
    return images if factor < 2 else tf.nn.avg_pool2d(images, factor, factor, "VALID")


def _kept_mean(values: Float64[np.ndarray, " N"]) -> float:
    """The mean of the values from the 1st percentile, at its lower neighbour, to the 99th, at its higher one."""
    low, high = np.percentile(values, 1, method="lower"), np.percentile(values, 99, method="higher")
    return float(np.mean(values[(values >= low) & (values <= high)]))
