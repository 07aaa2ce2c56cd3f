"""The functions that an export offers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from biggan_tf.networks.discriminator import Discriminator
from serving import signatures as s
from serving.export.inference_generator import InferenceGenerator, model_sizes
from serving.export.row_latents import row_latents
from serving.export.rows import by_row


class ServedGenerator(tf.Module):
    """Wraps a generator for inference into the signatures of `serving.signatures`.

    Args:
        generator: What `fold` made of a trained one.
        discriminator: What `fold_discriminator` made, for `discriminate`; None: without that signature.

    With a generator that was folded for rows "exact" each row is computed by itself, so its bits are the same in any
    batch (`by_row`). With one for "fast" a batch is computed together, and a row's last bits depend on it.

    Example:
        >>> images = ServedGenerator(folded).functions()["serving_default"](**inputs)["images"]
    """

    def __init__(self, generator: InferenceGenerator, discriminator: Discriminator | None = None):
        super().__init__(name="served_generator")
        # Behind functions, so that only the weights that are used go into the SavedModel.
        self._network = lambda z, embedding, truncation: generator(z, embedding, truncation)
        self._table = generator.table
        self._judge = None if discriminator is None else _behind_a_function(discriminator)
        self._variables = list(generator.in_use)
        if discriminator is not None:
            self._variables += [weight.value for weight in discriminator.weights]
        self._sizes = model_sizes(generator.model_config)
        self._each = by_row if generator.rows == s.EXACT else _together

    def functions(self) -> dict[str, Any]:
        """Returns the concrete functions by signature name."""
        made: dict[str, Any] = {
            s.SAMPLE: self._sample,
            s.SYNTHESIZE: self._synthesize,
            s.SYNTHESIZE_PNG: self._synthesize_png,
            s.LATENTS: self._latents,
        }
        if self._sizes["num_classes"]:
            made[s.EMBED] = self._embed
        if self._judge is not None:
            made[s.DISCRIMINATE] = functools.partial(self._discriminate, self._judge)
        return {
            name: tf.function(function, autograph=False).get_concrete_function(**self._specs(name))
            for name, function in made.items()
        }

    def _specs(self, name: str) -> dict[str, tf.TensorSpec]:
        return {
            alias: tf.TensorSpec(s.resolve_shape(spec, self._sizes), spec.dtype, name=alias)
            for alias, spec in s.inputs_of(name, self._sizes).items()
        }

    def _row_of(self, name: str, output: str) -> tf.TensorSpec:
        """Shape and type of one row of a signature's output."""
        spec = s.SIGNATURES[name].outputs[output]
        return tf.TensorSpec(s.resolve_shape(spec, self._sizes)[1:], spec.dtype)

    def _sample(self, label: Any, seed: Any, truncation: Any) -> dict[str, Any]:
        with tf.control_dependencies([*self._check_labels(label), *_check_truncation(truncation)]):
            label, truncation = tf.identity(label), tf.identity(truncation)
        z = row_latents(seed, truncation, self._sizes["z_dim"])
        inputs = [z, truncation] + ([tf.gather(self._table(), label)] if self._sizes["num_classes"] else [])
        images = self._each(lambda *row: to_uint8(self._images(*row)), self._row_of(s.SAMPLE, s.IMAGES), *inputs)
        return {s.IMAGE_BYTES: _to_png(images), s.IMAGES: images}

    def _synthesize(self, z: Any, truncation: Any, y: Any = None) -> dict[str, Any]:
        with tf.control_dependencies(_check_truncation(truncation)):
            truncation = tf.identity(truncation)
        row = self._row_of(s.SYNTHESIZE, s.IMAGES)
        if y is None:
            return {s.IMAGES: self._each(self._images, row, z, truncation)}

        def mixed(z: Any, truncation: Any, y: Any) -> Any:
            return self._images(z, truncation, tf.matmul(y, self._table()))

        return {s.IMAGES: self._each(mixed, row, z, truncation, y)}

    def _synthesize_png(self, z: Any, truncation: Any, y: Any = None) -> dict[str, Any]:
        return {s.IMAGE_BYTES: _to_png(to_uint8(self._synthesize(z, truncation, y)[s.IMAGES]))}

    def _latents(self, seed: Any, truncation: Any) -> dict[str, Any]:
        with tf.control_dependencies(_check_truncation(truncation)):
            truncation = tf.identity(truncation)
        return {s.LATENT: row_latents(seed, truncation, self._sizes["z_dim"])}

    def _embed(self, label: Any) -> dict[str, Any]:
        with tf.control_dependencies(self._check_labels(label)):
            return {s.EMBEDDING: tf.gather(self._table(), tf.identity(label))}

    def _discriminate(self, judge: Callable[[Any], Any], images: Any, label: Any) -> dict[str, Any]:
        with tf.control_dependencies(self._check_labels(label)):
            label = tf.identity(label)
        result = self._row_of(s.DISCRIMINATE, s.LOGITS)
        if not self._sizes["num_classes"]:
            return {s.LOGITS: self._each(judge, result, images)}
        return {s.LOGITS: self._each(lambda *row: judge(row), result, images, label)}

    def _images(self, z: Any, truncation: Any, embedding: Any = None) -> Any:
        return self._network(z, embedding, truncation)

    def _check_labels(self, label: Any) -> list[Any]:
        classes = max(self._sizes["num_classes"], 1)
        inside = tf.reduce_all((label >= 0) & (label < classes))
        return [tf.debugging.Assert(inside, [f"label must be in [0, {classes}). Received:", label])]


def _together(function: Callable[..., Any], result: tf.TensorSpec, *inputs: Any) -> Any:
    """All rows in one call: the other way than `by_row`."""
    del result
    return function(*inputs)


def _behind_a_function(discriminator: Discriminator) -> Callable[[Any], Any]:
    return lambda inputs: discriminator(inputs, training=False)


def to_uint8(images: Any) -> Any:
    """Images in [-1, 1] to the nearest of 256 levels."""
    return tf.cast(tf.clip_by_value(tf.round((images + 1.0) * 127.5), 0.0, 255.0), tf.uint8)


def _to_png(images: Any) -> Any:
    return tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)


def _check_truncation(truncation: Any) -> list[Any]:
    inside = tf.reduce_all((truncation >= s.MIN_TRUNCATION - 1e-6) & (truncation <= s.MAX_TRUNCATION))
    message = f"truncation must be in [{s.MIN_TRUNCATION}, {s.MAX_TRUNCATION}]. Received:"
    return [tf.debugging.Assert(inside, [message, truncation])]
