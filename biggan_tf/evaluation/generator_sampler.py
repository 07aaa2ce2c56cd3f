"""Images of a generator: every image depends on the seed and its own number alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.evaluation.protocol import SampleProtocol

METHODS = latents.TRUNCATIONS
_NUMBERS = tf.TensorSpec([None], tf.int32)


class GeneratorSampler:
    """Draws latents and labels and turns them into images.

    Args:
        generator: A `biggan_tf.networks.Generator`.
        truncation: Threshold or scale; None: none.
        method: What the truncation means, see `latents.truncated_normal`.
        prior: Of the latents where there is no truncation.
        seed: Of latents and labels.
        batch_size: Images at a time; it does not change any image.
        weights: "ema" or "raw", for the protocol.
        batch_norm: "running" or "standing", for the protocol.
    """

    def __init__(
        self,
        generator: Any,
        *,
        truncation: float | None = None,
        method: str = "resampling",
        prior: str = "normal",
        seed: int = 0,
        batch_size: int = 32,
        weights: str = "ema",
        batch_norm: str = "running",
    ):
        self.generator = generator
        self.method = method
        self.prior = prior
        self.seed = seed
        self.batch_size = batch_size
        self.weights = weights
        self.batch_norm = batch_norm
        self.num_classes: int = generator.model_config.num_classes
        self._labels = tf.function(self._draw_labels).get_concrete_function(_NUMBERS)
        self._compiled: dict[int, Any] = {}  # shared with samplers at other truncations
        self._truncate(truncation)

    def at(self, truncation: float | None) -> GeneratorSampler:
        """The same sampler at another truncation; it compiles nothing of the generator again."""
        other = copy.copy(self)
        other._truncate(truncation)
        return other

    def _truncate(self, truncation: float | None) -> None:
        if truncation is not None and self.prior != "normal":
            raise ValueError(f"only the normal prior can be truncated. Received: {self.prior!r} with {truncation}")
        self.truncation = truncation
        # Concrete, because TensorFlow would take the functions of several samplers for one traced again and again.
        self._latents = tf.function(self._draw_latents).get_concrete_function(_NUMBERS)

    def protocol(self, num_images: int) -> SampleProtocol:
        """How a set of these images is made."""
        truncation = "none" if self.truncation is None else f"{self.method} {self.truncation:g}"
        return SampleProtocol(self.weights, self.batch_norm, truncation, self.prior, num_images, self.seed)

    def latents(self, numbers: Any) -> Any:
        """Z `[N, z_dim]` of the images with these numbers."""
        return self._latents(tf.convert_to_tensor(numbers, tf.int32))

    def labels(self, numbers: Any) -> Any:
        """Uniform labels `[N]` of the images with these numbers."""
        return self._labels(tf.convert_to_tensor(numbers, tf.int32))

    def embed(self, labels: Any) -> Any:
        """Class embeddings `[N, E]`; None where the generator has no classes."""
        return self.generator.embed(tf.convert_to_tensor(labels)) if self.num_classes else None

    def images(self, z: Any, embedding: Any = None) -> np.ndarray:
        """uint8 images `[N, R, R, 3]` of any number of latents."""
        parts = []
        for start in range(0, len(z), self.batch_size):
            stop = start + self.batch_size
            part = None if embedding is None else embedding[start:stop]
            parts.append(to_uint8(self.float_images(z[start:stop], part)))
        return np.concatenate(parts)

    def float_images(self, z: Any, embedding: Any = None) -> Any:
        """One batch of images in [-1, 1]."""
        z = tf.convert_to_tensor(z, tf.float32)
        truncation = tf.constant(1.0 if self.truncation is None else self.truncation)
        inputs = (truncation, z) if embedding is None else (truncation, z, tf.convert_to_tensor(embedding))
        if len(inputs) not in self._compiled:
            specs = [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in inputs[1:]]
            images_of = tf.function(self._images_of)
            self._compiled[len(inputs)] = images_of.get_concrete_function(tf.TensorSpec([]), *specs)
        return self._compiled[len(inputs)](*inputs)

    def batches(self, num_images: int, labels: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(uint8 images, labels) of images 0 to `num_images`; `labels` overrides the drawn ones."""
        for start in range(0, num_images, self.batch_size):
            numbers = np.arange(start, min(start + self.batch_size, num_images))
            chosen = self.labels(numbers).numpy() if labels is None else np.asarray(labels)[numbers]
            yield self.images(self.latents(numbers), self.embed(chosen)), chosen

    def _draw_latents(self, numbers: Any) -> Any:
        z_dim = self.generator.model_config.z_dim
        key = latents.fold(tf.constant([self.seed, 0]), 0)

        def draw(number: Any) -> Any:
            own = latents.fold(key, number)
            if self.truncation is None:
                return latents.PRIORS[self.prior](own, [z_dim])
            return latents.truncated_normal(own, [z_dim], self.truncation, self.method)

        return tf.map_fn(draw, numbers, fn_output_signature=tf.TensorSpec([z_dim], tf.float32))

    def _draw_labels(self, numbers: Any) -> Any:
        key = latents.fold(tf.constant([self.seed, 0]), 1)
        sampler = latents.LabelSampler(self.num_classes)
        return tf.map_fn(lambda number: sampler(latents.fold(key, number), 1)[0], numbers)

    def _images_of(self, truncation: Any, z: Any, embedding: Any = None) -> Any:
        inputs = z if embedding is None else (z, embedding)
        return self.generator(inputs, training=False, truncation=truncation)


def to_uint8(images: Any) -> np.ndarray:
    """[-1, 1] to grey levels, rounded."""
    return np.clip(np.rint((np.asarray(images) + 1.0) * 127.5), 0, 255).astype(np.uint8)
