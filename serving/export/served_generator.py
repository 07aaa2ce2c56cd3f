"""The functions that an export offers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from biggan_tf.networks.generator import Generator
from serving import signatures as s
from serving.export.inference_generator import model_sizes
from serving.export.row_latents import row_latents


class ServedGenerator(tf.Module):
    """Wraps a folded generator into the signatures of `serving.signatures`.

    Kernels choose their order of summation by the shape of a batch, so the same row differs in the last bit between
    batches of 3 and of 8. Rows are therefore computed `rows_at_once` at a time, whatever the batch.

    Args:
        generator: A folded generator.
        rows_at_once: Rows of every computation; 1 makes rows bit-identical by construction.

    Example:
        >>> images = ServedGenerator(folded).sample(label, seed, truncation)["images"]
    """

    def __init__(self, generator: Generator, rows_at_once: int = 1):
        super().__init__(name="served_generator")
        self._generator = generator
        self._variables = [v.value for v in generator.weights] + [
            layer.fused_kernel for layer in generator._flatten_layers() if hasattr(layer, "fused_kernel")
        ]
        self._rows = rows_at_once
        self._sizes = model_sizes(generator.model_config)

    def functions(self) -> dict[str, Any]:
        """Returns the concrete functions by signature name."""
        made = {
            s.SAMPLE: self._sample,
            s.SYNTHESIZE: self._synthesize,
            s.SYNTHESIZE_PNG: self._synthesize_png,
            s.LATENTS: self._latents,
            s.EMBED: self._embed,
        }
        return {
            name: tf.function(function, autograph=False).get_concrete_function(**self._specs(name))
            for name, function in made.items()
        }

    def _specs(self, name: str) -> dict[str, tf.TensorSpec]:
        return {
            alias: tf.TensorSpec(s.resolve_shape(spec, self._sizes), spec.dtype, name=alias)
            for alias, spec in s.SIGNATURES[name].inputs.items()
        }

    def _sample(self, label: Any, seed: Any, truncation: Any) -> dict[str, Any]:
        with tf.control_dependencies([*self._check_labels(label), *_check_truncation(truncation)]):
            label, truncation = tf.identity(label), tf.identity(truncation)
        z = row_latents(seed, truncation, self._sizes["z_dim"])
        images = to_uint8(self._images(z, self._look_up(label), truncation))
        return {s.IMAGE_BYTES: _to_png(images), s.IMAGES: images}

    def _synthesize(self, z: Any, y: Any, truncation: Any) -> dict[str, Any]:
        with tf.control_dependencies(_check_truncation(truncation)):
            truncation = tf.identity(truncation)
        # Row by row for the same reason as the network: [1, classes] x [classes, D].
        table = tf.convert_to_tensor(self._generator.class_embedding.kernel)
        embedding = tf.squeeze(tf.matmul(y[:, None], table), 1)
        return {s.IMAGES: self._images(z, embedding, truncation)}

    def _synthesize_png(self, z: Any, y: Any, truncation: Any) -> dict[str, Any]:
        return {s.IMAGE_BYTES: _to_png(to_uint8(self._synthesize(z, y, truncation)[s.IMAGES]))}

    def _latents(self, seed: Any, truncation: Any) -> dict[str, Any]:
        with tf.control_dependencies(_check_truncation(truncation)):
            truncation = tf.identity(truncation)
        return {s.LATENT: row_latents(seed, truncation, self._sizes["z_dim"])}

    def _embed(self, label: Any) -> dict[str, Any]:
        with tf.control_dependencies(self._check_labels(label)):
            return {s.EMBEDDING: self._look_up(tf.identity(label))}

    def _look_up(self, label: Any) -> Any:
        return tf.gather(tf.convert_to_tensor(self._generator.class_embedding.kernel), label)

    def _images(self, z: Any, embedding: Any, truncation: Any) -> Any:
        rows, count = self._rows, tf.shape(z)[0]
        padding = (-count) % rows

        def grouped(x: Any) -> Any:
            padded = tf.concat([x, tf.repeat(x[:1], padding, axis=0)], axis=0) if rows > 1 else x
            return tf.reshape(padded, [-1, rows, *x.shape[1:]])

        size = self._sizes["resolution"]
        images = tf.map_fn(
            lambda row: tf.ensure_shape(
                self._generator((row[0], row[1]), training=False, truncation=row[2]), [rows, size, size, 3]
            ),
            (grouped(z), grouped(embedding), grouped(truncation)),
            fn_output_signature=tf.float32,
        )
        return tf.reshape(images, [-1, size, size, 3])[:count]

    def _check_labels(self, label: Any) -> list[Any]:
        classes = self._sizes["num_classes"]
        inside = tf.reduce_all((label >= 0) & (label < classes))
        return [tf.debugging.Assert(inside, [f"label must be in [0, {classes}). Received:", label])]


def to_uint8(images: Any) -> Any:
    """Images in [-1, 1] to the nearest of 256 levels."""
    return tf.cast(tf.clip_by_value(tf.round((images + 1.0) * 127.5), 0.0, 255.0), tf.uint8)


def _to_png(images: Any) -> Any:
    return tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)


def _check_truncation(truncation: Any) -> list[Any]:
    inside = tf.reduce_all((truncation >= s.MIN_TRUNCATION - 1e-6) & (truncation <= s.MAX_TRUNCATION))
    message = f"truncation must be in [{s.MIN_TRUNCATION}, {s.MAX_TRUNCATION}]. Received:"
    return [tf.debugging.Assert(inside, [message, truncation])]
