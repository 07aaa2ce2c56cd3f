"""The functions of an export: from the inputs of each signature to its outputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf
from jaxtyping import Bool, Float, Int

from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.inference import InferenceGenerator, StyleInference
from biggan_tf.latents import noise_keys, row_latents
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.types import ByteImages, Embeddings, Images, Labels, Latents, Logits, RowKeys, Tensor
from serving import signatures as s
from serving.export.png_in_graph import encode_png
from serving.export.rows import by_row
from serving.input_limits import InputLimit, limits_for

_Discriminate: TypeAlias = Callable[..., Logits]
_Answer: TypeAlias = dict[str, tf.Tensor]  # the outputs of a signature by their names
_Seeds: TypeAlias = Int[Tensor, " N"]
_Truncations: TypeAlias = Float[Tensor, " N"]
_Weights: TypeAlias = Float[Tensor, "N classes"]  # how much each class takes part
_Cutoffs: TypeAlias = Int[Tensor, " N"]
_Styles: TypeAlias = Float[Tensor, "N layers V"]
_Valid: TypeAlias = Bool[Tensor, " N"]  # whether a row can be answered


class ServedGenerator(tf.Module):
    """The signatures of `serving.signatures` for one generator.

    With a generator that was folded for rows "exact" each row is computed by itself, so its bits are the same in any
    batch (`by_row`). With one for "fast" a batch is computed together, and the last bits of a row depend on it.

    A batch may hold the rows of several clients, so nothing asserts over it: a row whose inputs are out of bounds
    (`serving.input_limits`) is computed from harmless ones, its answer is blank, and `valid` says so.

    Args:
        generator: What `FamilyConfig.fold` returned for the trained generator.
        discriminator: What `fold_discriminator` returned for the trained discriminator, for the signature
            `discriminate`; None: without that signature.

    Example:
        >>> images = ServedGenerator(folded).functions()["serving_default"](**inputs)["images"]
    """

    def __init__(self, generator: InferenceGenerator, discriminator: Discriminator | None = None):
        super().__init__(name="served_generator")
        # As an attribute the generator would be saved with all of its weights. A function is not followed, so only the
        # variables in `_variables` go into the SavedModel.
        self._network = lambda z, embedding, truncation, keys: generator(z, embedding, truncation, keys)
        self._has_styles = isinstance(generator, StyleInference)
        if isinstance(generator, StyleInference):
            self._map = lambda z, embedding, truncation, cutoff: generator.map(z, embedding, truncation, cutoff)
            self._synthesise = lambda ws, keys: generator.synthesise(ws, keys)
        self._has_noise, self._prior = generator.has_noise, generator.config.prior
        self._rule = generator.config.truncation_rule
        self._table = generator.table
        self._discriminator = None if discriminator is None else _logits_of(discriminator)
        self._variables = list(generator.in_use)
        if discriminator is not None:
            self._variables += [weight.value for weight in discriminator.weights]
        self._sizes = model_sizes(generator)
        self._limits = limits_for(self._sizes, (self._rule.low, self._rule.high))
        self._each = by_row if generator.rows == s.EXACT else _together

    def functions(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The traced functions by the names of their signatures."""
        functions: dict[str, Callable[..., _Answer]] = {
            s.SAMPLE: self._sample,
            s.SYNTHESIZE: self._synthesize,
            s.SYNTHESIZE_PNG: self._synthesize_png,
            s.LATENTS: self._latents,
        }
        if self._sizes["num_classes"]:
            functions[s.EMBED] = self._embed
        if self._has_styles:
            functions[s.MAP] = self._map_latents
            functions[s.SYNTHESIZE_STYLES] = self._synthesize_styles
            functions[s.SYNTHESIZE_STYLES_PNG] = self._synthesize_styles_png
        if self._discriminator is not None:
            functions[s.DISCRIMINATE] = functools.partial(self._discriminate, self._discriminator)
        return {
            name: tf.function(function, autograph=False).get_concrete_function(**self._specs(name))
            for name, function in functions.items()
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

    def _sample(self, label: Labels, seed: _Seeds, truncation: _Truncations) -> _Answer:
        valid, (label, truncation) = self._checked(label=label, truncation=truncation)
        z = self._drawn(seed, truncation)
        inputs = {"z": z, "truncation": truncation}
        if self._sizes["num_classes"]:
            inputs["embedding"] = tf.gather(self._table(), label)
        if self._has_noise:
            inputs["keys"] = noise_keys(seed)
        names = list(inputs)

        def image(*row: tf.Tensor) -> tf.Tensor:
            return to_bytes(self._images(**dict(zip(names, row, strict=True))))

        images = self._each(image, self._row_of(s.SAMPLE, s.IMAGES), *inputs.values())
        images = _rows_where(valid, images)
        return {s.IMAGE_BYTES: _to_png(images), s.IMAGES: images, s.VALID: valid}

    def _synthesize(self, z: Latents, truncation: _Truncations, y: _Weights | None = None) -> _Answer:
        row = self._row_of(s.SYNTHESIZE, s.IMAGES)
        if y is None:
            valid, (z, truncation) = self._checked(z=z, truncation=truncation)
            images = self._each(self._images, row, z, truncation)
        else:
            valid, (z, truncation, y) = self._checked(z=z, truncation=truncation, y=y)

            def mixed(z: Latents, truncation: _Truncations, y: _Weights) -> Images:
                return self._images(z, truncation, tf.matmul(y, self._table()))

            images = self._each(mixed, row, z, truncation, y)
        # Latents of 1e38 are finite and their pictures are not.
        valid = tf.logical_and(valid, _is_finite(images))
        return {s.IMAGES: _rows_where(valid, images), s.VALID: valid}

    def _synthesize_png(self, z: Latents, truncation: _Truncations, y: _Weights | None = None) -> _Answer:
        return _as_png(self._synthesize(z, truncation, y))

    def _latents(self, seed: _Seeds, truncation: _Truncations) -> _Answer:
        valid, (truncation,) = self._checked(truncation=truncation)
        z = self._drawn(seed, truncation)
        return {s.LATENT: _rows_where(valid, z), s.VALID: valid}

    def _drawn(self, seed: _Seeds, truncation: _Truncations) -> Latents:
        return row_latents(seed, truncation, self._sizes["z_dim"], self._prior, self._rule)

    def _map_latents(
        self, z: Latents, truncation: _Truncations, cutoff: _Cutoffs, y: _Weights | None = None
    ) -> _Answer:
        given = {"z": z, "truncation": truncation, "cutoff": cutoff, **({} if y is None else {"y": y})}
        valid, rows = self._checked(**given)
        names = list(given)

        def styles(*row: tf.Tensor) -> tf.Tensor:
            inputs = dict(zip(names, row, strict=True))
            embedding = tf.matmul(inputs["y"], self._table()) if "y" in inputs else None
            return self._map(inputs["z"], embedding, inputs["truncation"], inputs["cutoff"])

        w = self._each(styles, self._row_of(s.MAP, s.STYLES), *rows)
        valid = tf.logical_and(valid, _is_finite(w))
        return {s.STYLES: _rows_where(valid, w), s.VALID: valid}

    def _synthesize_styles(self, w: _Styles, seed: _Seeds) -> _Answer:
        valid, (w,) = self._checked(w=w)
        keys = (noise_keys(seed),) if self._has_noise else ()

        def image(ws: _Styles, *keys: RowKeys) -> Images:
            return self._synthesise(ws, keys[0] if keys else None)

        images = self._each(image, self._row_of(s.SYNTHESIZE_STYLES, s.IMAGES), w, *keys)
        valid = tf.logical_and(valid, _is_finite(images))
        return {s.IMAGES: _rows_where(valid, images), s.VALID: valid}

    def _synthesize_styles_png(self, w: _Styles, seed: _Seeds) -> _Answer:
        return _as_png(self._synthesize_styles(w, seed))

    def _embed(self, label: Labels) -> _Answer:
        valid, (label,) = self._checked(label=label)
        return {s.EMBEDDING: _rows_where(valid, tf.gather(self._table(), label)), s.VALID: valid}

    def _discriminate(self, discriminate: _Discriminate, images: Images, label: Labels) -> _Answer:
        valid, (images, label) = self._checked(images=images, label=label)
        result = self._row_of(s.DISCRIMINATE, s.LOGITS)
        inputs = (images, label) if self._sizes["num_classes"] else (images,)
        logits = self._each(discriminate, result, *inputs)
        valid = tf.logical_and(valid, _is_finite(logits))
        return {s.LOGITS: _rows_where(valid, logits), s.VALID: valid}

    def _checked(self, **inputs: Tensor) -> tuple[_Valid, list[Tensor]]:
        """Which rows have all of their inputs within bounds, and the inputs with harmless values in all other rows."""
        fitting = [_fits(self._limits[alias], value) for alias, value in inputs.items()]
        valid = functools.reduce(tf.logical_and, fitting)
        return valid, [
            _rows_where(valid, value, s.MAX_TRUNCATION if alias == s.TRUNCATION else 0)
            for alias, value in inputs.items()
        ]

    def _images(
        self, z: Latents, truncation: _Truncations, embedding: Embeddings | None = None, keys: RowKeys | None = None
    ) -> Images:
        return self._network(z, embedding, truncation, keys)


def model_sizes(generator: Generator | InferenceGenerator) -> dict[str, int]:
    """The sizes of a generator by the names that the shapes of the signatures use."""
    config = generator.config
    of_styles = {}
    if isinstance(generator, StyleInference):
        of_styles = {"num_styles": generator.num_styles, "w_dim": generator.w_dim}
    return {
        "resolution": config.resolution,
        "z_dim": config.z_dim,
        "num_classes": config.num_classes,
        # Without classes no signature has an embedding; then this is the size that the configuration names, if any.
        "embedding_dim": generator.embedding_dim or getattr(config, "embedding_dim", 0),
        **of_styles,
    }


def _together(function: Callable[..., tf.Tensor], result: tf.TensorSpec, *inputs: tf.Tensor) -> tf.Tensor:
    """Applies a function to all rows in one call, where `by_row` applies it to one row after another."""
    del result
    return function(*inputs)


def _logits_of(discriminator: Discriminator) -> _Discriminate:
    """A function of images, and of labels where there are classes."""

    def logits(images: Images, *labels: Labels) -> Logits:
        return discriminator((images, *labels) if labels else images, training=False).logits

    return logits


def _as_png(answer: _Answer) -> _Answer:
    """An answer with floating-point images as one with PNG files, black where a row is not valid."""
    images = _rows_where(answer[s.VALID], to_bytes(answer[s.IMAGES]))
    return {s.IMAGE_BYTES: _to_png(images), s.VALID: answer[s.VALID]}


def _to_png(images: ByteImages) -> tf.Tensor:
    return tf.map_fn(encode_png, images, fn_output_signature=tf.string)


def _fits(limit: InputLimit, values: Tensor) -> _Valid:
    """`InputLimit.fits` in a graph."""
    if limit.low is None or limit.high is None:
        return _is_finite(values)
    return (values >= limit.low) & (values <= limit.high)


def _is_finite(values: Tensor) -> _Valid:
    """Whether all values of each row are finite."""
    return tf.reduce_all(tf.math.is_finite(values), axis=list(range(1, len(values.shape))))


def _rows_where(valid: _Valid, values: Tensor, otherwise: float = 0) -> Tensor:
    """The rows of a tensor, and in the place of those that are not valid one value everywhere."""
    valid = tf.reshape(valid, [-1] + [1] * (len(values.shape) - 1))
    return tf.where(valid, values, tf.cast(otherwise, values.dtype))
