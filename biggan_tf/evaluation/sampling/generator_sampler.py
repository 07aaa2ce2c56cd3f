"""Images of a generator: every image depends on the seed and its own number alone."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Int, Int32, UInt8

from biggan_tf import latents
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.style_generator import StyleGenerator
from biggan_tf.evaluation.protocol import SampleProtocol
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.types import Embeddings, Images, Labels, Latents, RowKeys, Scalar, Tensor

METHODS = latents.TRUNCATIONS
Numbers: TypeAlias = Sequence[int] | Int[Tensor, " N"]  # of images; an image with the same number is the same image
_NUMBERS = tf.TensorSpec([None], tf.int32)


def embed(generator: Generator, labels: Labels | Sequence[int]) -> Embeddings | None:
    """The class embeddings of labels; None for a generator without classes."""
    return generator.embed(tf.convert_to_tensor(labels)) if generator.config.num_classes else None


def inputs_of(z: Latents, embedding: Embeddings | None) -> Latents | tuple[Latents, Embeddings]:
    """What a generator is called with: z alone where it has no classes."""
    return z if embedding is None else (z, embedding)


def style_generator(generator: Generator) -> StyleGenerator:
    """The generator, if it has a space of styles.

    Raises:
        ValueError: It has none.
    """
    if not isinstance(generator, StyleGenerator):
        raise ValueError(
            f"This needs a generator with a mapping network and styles w, such as a StyleGAN. Received: "
            f"{generator.config.kind}"
        )
    return generator


class GeneratorSampler:
    """Draws latents and labels and turns them into images.

    Args:
        generator: With the weights and the batch norms' moments to sample with.
        truncation: Threshold or scale of the latents, larger than 0, or psi of the styles where the family truncates
            these; None: neither is truncated.
        method: What a truncation of latents means: "resampling", "hub" or "scaling", see `latents.truncated_normal`.
        prior: The distribution of latents that are not truncated, a name in `PARTS["prior"]`; None: the one that the
            generator was trained with.
        seed: Decides latents and labels.
        batch_size: How many images are computed at a time. It does not change any image.
        weights: "ema" or "raw": which of a run's weights the generator has. Only noted in the protocol.
        batch_norm: "running", or "standing" with the number of passes: whose moments the batch norms hold. Only noted
            in the protocol.
        frequencies: How often each class is drawn, in any unit; None: all are equally likely.
        cutoff: How many of the first layers' styles are truncated; None: as many as the family's configuration says.
        as_served: Whether the image number n has the latents and the noise that a server draws for the seed `seed` + n.
            False, the default: sets of images with other seeds share none, as a measurement needs it.

    Raises:
        ValueError: If the prior cannot be truncated so, or there is a cutoff and there are no styles.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        truncation: float | None = None,
        method: str = "resampling",
        prior: str | None = None,
        seed: int = 0,
        batch_size: int = 32,
        weights: str = "ema",
        batch_norm: str = "running",
        frequencies: Sequence[float] | None = None,
        cutoff: int | None = None,
        as_served: bool = False,
    ):
        if generator.config.enlargement > 1:
            raise ValueError(
                "A generator that enlarges images draws none from a seed alone. Received: "
                f"{generator.config.kind}; enlarge images with biggan_tf.upscale, and measure with biggan_tf.evaluate."
            )
        self.generator = generator
        self.method = method
        self.prior = generator.config.prior if prior is None else prior
        self.seed = seed
        self.batch_size = batch_size
        self.weights = weights
        self.batch_norm = batch_norm
        self.num_classes = generator.config.num_classes
        self.rule = generator.config.truncation_rule
        self.cutoff = cutoff
        self.as_served = as_served
        if cutoff is not None and not isinstance(generator, StyleGenerator):
            raise ValueError(
                f"A cutoff needs a family that truncates styles. Received: cutoff={cutoff} with "
                f"{generator.config.kind}; leave it out."
            )
        self._keys = tf.function(self._draw_keys).get_concrete_function(_NUMBERS)
        # By the number of inputs or what is put in, and shared with samplers at other truncations.
        self._compiled: dict[int | str, Callable[..., Images]] = {}
        self._truncate(truncation)
        self._set_frequencies(frequencies)

    def drawing(self, frequencies: Sequence[float] | None) -> GeneratorSampler:
        """The same sampler with other frequencies of the classes. Nothing of the generator is compiled again."""
        if frequencies == self.frequencies:
            return self
        other = copy.copy(self)
        other._set_frequencies(frequencies)
        return other

    def at(self, truncation: float | None) -> GeneratorSampler:
        """The same sampler at another truncation. Nothing of the generator is compiled again."""
        other = copy.copy(self)
        other._truncate(truncation)
        return other

    def in_float32(self) -> GeneratorSampler:
        """The same sampler with a generator that computes in float32, for differences that bfloat16 rounds away."""
        if self.generator.compute_dtype == "float32":
            return self
        generator = dataclasses.replace(self.generator.config, policy="float32").generator(self.generator.name)
        generator.set_weights(self.generator.get_weights())
        other = copy.copy(self)
        other.generator, other._compiled = generator, {}
        return other

    def _truncate(self, truncation: float | None) -> None:
        of_latents = truncation is not None and not self.rule.of_styles
        if of_latents and self.prior != "normal" and self.method != "scaling":
            raise ValueError(
                f"only the normal prior can be truncated by {self.method}. Received: {self.prior!r} with {truncation}"
            )
        if truncation is not None and truncation <= 0 and of_latents:
            raise ValueError(f"the truncation of latents must be larger than 0. Received: {truncation:g}")
        self.truncation = None if truncation is None else float(truncation)  # a whole number would be an int32 tensor
        # A concrete function, because TensorFlow takes the functions of several samplers for one that is traced again
        # and again, and warns.
        self._latents = tf.function(self._draw_latents).get_concrete_function(_NUMBERS)

    def _set_frequencies(self, frequencies: Sequence[float] | None) -> None:
        self.frequencies = frequencies
        self._labels = tf.function(self._draw_labels).get_concrete_function(_NUMBERS)

    def protocol(self, num_images: int) -> SampleProtocol:
        """What decides a set of `num_images` images of this sampler."""
        truncation = "none"
        if self.truncation is not None:
            truncation = f"{'psi' if self.rule.of_styles else self.method} {self.truncation:g}"
            cutoff = self.generator.default_cutoff if isinstance(self.generator, StyleGenerator) else None
            cutoff = cutoff if self.cutoff is None else self.cutoff
            truncation += "" if cutoff is None else f" in {cutoff} layers"
        labels = "uniform" if self.frequencies is None else "data"
        return SampleProtocol(self.weights, self.batch_norm, truncation, self.prior, num_images, self.seed, labels)

    def latents(self, numbers: Numbers) -> Latents:
        """The latents of the images with these numbers."""
        return self._latents(tf.convert_to_tensor(numbers, tf.int32))

    def labels(self, numbers: Numbers) -> Labels:
        """The labels of the images with these numbers."""
        return self._labels(tf.convert_to_tensor(numbers, tf.int32))

    def embed(self, labels: Labels | Sequence[int]) -> Embeddings | None:
        """The class embeddings of labels; None where the generator has no classes."""
        return embed(self.generator, labels)

    def keys(self, numbers: Numbers) -> RowKeys:
        """What decides the noise of the images with these numbers, in generators that have any."""
        return self._keys(tf.convert_to_tensor(numbers, tf.int32))

    def images(
        self, z: Latents, embedding: Embeddings | None = None, keys: RowKeys | None = None
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """The images of any number of latents; without keys they all have the same noise."""
        parts = []
        for start in range(0, z.shape[0], self.batch_size):
            stop = start + self.batch_size
            part = None if embedding is None else embedding[start:stop]
            noise = None if keys is None else keys[start:stop]
            parts.append(np.asarray(to_bytes(self.float_images(z[start:stop], part, noise))))
        return np.concatenate(parts)

    def float_images(self, z: Latents, embedding: Embeddings | None = None, keys: RowKeys | None = None) -> Images:
        """One batch of images in [-1, 1]."""
        z, truncation = tf.convert_to_tensor(z, tf.float32), self._truncation_or_one()
        noise = tf.zeros([z.shape[0], 2], tf.int64) if keys is None else tf.convert_to_tensor(keys)
        inputs = (
            (truncation, noise, z) if embedding is None else (truncation, noise, z, tf.convert_to_tensor(embedding))
        )
        if len(inputs) not in self._compiled:
            specs = [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in inputs[1:]]
            images_of = tf.function(self._images_of)
            self._compiled[len(inputs)] = images_of.get_concrete_function(tf.TensorSpec([]), *specs)
        return self._compiled[len(inputs)](*inputs)

    def uncompiled_images(self, z: Latents, embedding: Embeddings | None = None, keys: RowKeys | None = None) -> Images:
        """The images of `float_images`, computed one operation after another, as forward-mode derivatives need it."""
        noise = tf.zeros([z.shape[0], 2], tf.int64) if keys is None else keys
        return self._images_of(self._truncation_or_one(), noise, z, embedding)

    def _truncation_or_one(self) -> Scalar:
        """The truncation as a tensor; 1, which truncates nothing, where there is none."""
        return tf.constant(1.0 if self.truncation is None else self.truncation, tf.float32)

    def styles(self, z: Latents, embedding: Embeddings | None = None) -> Float[np.ndarray, "N layers V"]:
        """The style of each layer of latents, truncated as this sampler does.

        Raises:
            ValueError: If the generator has no styles of that kind.
        """
        generator = style_generator(self.generator)
        psi = 1.0 if self.truncation is None else self.truncation
        z = tf.convert_to_tensor(z, tf.float32)
        return np.asarray(generator.layer_ws(z, embedding, psi, self.cutoff))

    def images_of_styles(
        self, ws: Float[np.ndarray, "N layers V"], keys: RowKeys | None = None
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """The images of any number of styles; without keys they all have the same noise."""
        parts = []
        for start in range(0, len(ws), self.batch_size):
            rows = slice(start, start + self.batch_size)
            noise = tf.zeros([len(ws[rows]), 2], tf.int64) if keys is None else tf.convert_to_tensor(keys[rows])
            parts.append(np.asarray(to_bytes(self.float_images_of_styles(tf.convert_to_tensor(ws[rows]), noise))))
        return np.concatenate(parts)

    def float_images_of_styles(self, ws: Float[Tensor, "N layers V"], keys: RowKeys) -> Images:
        """One batch of images in [-1, 1] of styles."""
        if "styles" not in self._compiled:
            specs = [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in (ws, keys)]
            generator = style_generator(self.generator)

            def images_of(ws: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
                return generator.synthesise(generator.styles_from(ws), keys)

            self._compiled["styles"] = tf.function(images_of).get_concrete_function(*specs)
        return self._compiled["styles"](ws, keys)

    def batches(
        self, num_images: int, labels: Sequence[int] | Int[np.ndarray, " N"] | None = None
    ) -> Iterator[tuple[UInt8[np.ndarray, "B H W 3"], Int[np.ndarray, " B"]]]:
        """Yields images and labels of the images number 0 to `num_images` - 1.

        Args:
            num_images: How many images there are in all batches together.
            labels: One for each image; None: they are drawn.
        """
        for start in range(0, num_images, self.batch_size):
            numbers = np.arange(start, min(start + self.batch_size, num_images))
            chosen = np.asarray(self.labels(numbers)) if labels is None else np.asarray(labels)[numbers]
            yield self.images(self.latents(numbers), self.embed(chosen), self.keys(numbers)), chosen

    def _draw_latents(self, numbers: Int32[tf.Tensor, " N"]) -> Float[tf.Tensor, "N Z"]:
        z_dim = self.generator.config.z_dim
        if self.as_served:
            seeds = self._seeds_of(numbers)
            truncations = None if self.truncation is None else tf.fill([tf.size(seeds)], self.truncation)
            return latents.row_latents(seeds, truncations, z_dim, self.prior, self.rule, self.method)
        key = latents.derive_key(tf.constant([self.seed, 0]), 0)

        def draw(number: tf.Tensor) -> tf.Tensor:
            key_of_image = latents.derive_key(key, number)
            return latents.sampled(self.rule, self.prior, key_of_image, [z_dim], self.truncation, self.method)

        return tf.map_fn(draw, numbers, fn_output_signature=tf.TensorSpec([z_dim], tf.float32))

    def _draw_labels(self, numbers: Int32[tf.Tensor, " N"]) -> Int32[tf.Tensor, " N"]:
        key = latents.derive_key(tf.constant([self.seed, 0]), 1)
        sampler = latents.LabelSampler(self.num_classes, self.frequencies)
        return tf.map_fn(lambda number: sampler(latents.derive_key(key, number), 1)[0], numbers)

    def _draw_keys(self, numbers: Int32[tf.Tensor, " N"]) -> Int[tf.Tensor, "N 2"]:
        if self.as_served:
            return latents.noise_keys(self._seeds_of(numbers))
        key = latents.derive_key(tf.constant([self.seed, 0]), 2)
        return tf.map_fn(
            lambda number: latents.row_keys(latents.derive_key(key, number), 1)[0],
            numbers,
            fn_output_signature=tf.TensorSpec([2], tf.int64),
        )

    def _seeds_of(self, numbers: Int32[tf.Tensor, " N"]) -> Int[tf.Tensor, " N"]:
        return tf.constant(self.seed, tf.int64) + tf.cast(numbers, tf.int64)

    def _images_of(
        self, truncation: tf.Tensor, keys: tf.Tensor, z: tf.Tensor, embedding: tf.Tensor | None = None
    ) -> tf.Tensor:
        generator = self.generator
        if not isinstance(generator, StyleGenerator):
            return generator(inputs_of(z, embedding), training=False, truncation=truncation, keys=keys)
        ws = generator.layer_ws(z, embedding, truncation, self.cutoff)
        return generator.synthesise(generator.styles_from(ws), keys)
