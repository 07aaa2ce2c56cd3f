"""Writes a generator as a version that TensorFlow Serving can serve."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.networks.discriminator import Discriminator
from biggan_tf.networks.generator import Generator
from serving import signatures as s
from serving.export.inference_generator import Moments, fold, fold_discriminator, layers_of, model_sizes
from serving.export.infra_validation import validate
from serving.export.served_generator import ServedGenerator
from serving.export.version_directory import new_version, newest_version
from serving.export.warmup_requests import write_warmup

# The largest difference between the images of an export and of the generator that it came from, in [-1, 1]. With
# rows="fast" it also bounds how far a row may be from itself in another batch.
TOLERANCES = {"float32": 1e-5, "bfloat16": 0.1}


def export_generator(
    generator: Generator,
    moments: Moments,
    base: str,
    labels: Sequence[dict[str, str]],
    provenance: dict[str, Any],
    precision: str = "float32",
    batch_sizes: Sequence[int] = s.DEFAULT_BATCH_SIZES,
    model_name: str = s.MODEL_NAME,
    *,
    discriminator: Discriminator | None = None,
    rows: str = s.EXACT,
) -> str:
    """Exports a generator as the next version under `base`.

    Args:
        generator: With the weights to serve (the EMA's).
        moments: Standing statistics, see `fold`.
        base: The model's base path.
        labels: Of every class its `synset` and `name`, in the order of the indices.
        provenance: Config, images seen, metrics, data fingerprint: what a reader needs to know where it came from.
        precision: "float32" or "bfloat16".
        batch_sizes: Sizes the warm-up covers.
        model_name: The name inside the warm-up requests.
        discriminator: Adds the signature `discriminate`; None: without it.
        rows: "exact": a row has the same bits in any batch; "fast": a batch is computed together.

    Returns:
        The version directory.

    Raises:
        ExportError: What was written does not load, differs from the generator, or cannot be served. Nothing is left.
    """
    folded = fold(generator, moments, precision, rows)
    sizes = model_sizes(generator.model_config)
    if len(labels) != sizes["num_classes"]:
        raise ValueError(f"labels must name all {sizes['num_classes']} classes. Received: {len(labels)}")
    module = ServedGenerator(folded, None if discriminator is None else fold_discriminator(discriminator))
    functions = module.functions()
    with new_version(base) as staged:
        tf.saved_model.save(module, staged, signatures=functions)
        assets = os.path.join(staged, "assets")
        os.makedirs(assets, exist_ok=True)
        _write_json(os.path.join(assets, s.LABELS_ASSET), list(labels))
        known = {**provenance, "precision": precision, s.ROWS: rows, "sizes": sizes}
        _write_json(os.path.join(assets, s.PROVENANCE_ASSET), known)
        write_warmup(
            staged, sizes, batch_sizes, model_name, [name for name in functions if name not in s.ASKED_BY_PEOPLE]
        )
        validate(staged, _reference(generator, moments, sizes), TOLERANCES[precision], rows)
    return os.path.join(base, str(newest_version(base)))


def _reference(generator: Generator, moments: Moments, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """What the eager generator answers, with spectral norm at work, for the new process to compare with."""
    truncation = np.array([1.0, 0.5, 0.25], np.float32)
    z = np.random.default_rng(0).standard_normal((3, sizes["z_dim"])).astype(np.float32) * truncation[:, None]
    eager = with_moments(generator, moments)
    inputs = {s.LATENT: z, s.TRUNCATION: truncation}
    if not sizes["num_classes"]:
        return {**inputs, s.IMAGES: np.asarray(eager(z, training=False, truncation=truncation))}
    y = np.eye(sizes["num_classes"], dtype=np.float32)[np.arange(3) % sizes["num_classes"]]
    embedding = eager.embed(np.argmax(y, axis=1))
    images = eager((z, embedding), training=False, truncation=truncation)
    return {**inputs, s.CLASS_WEIGHTS: y, s.IMAGES: np.asarray(images)}


def with_moments(generator: Generator, moments: Moments) -> Generator:
    """Returns a copy that differs from the trained generator in nothing but the batch norms' moments."""
    count = len(next(iter(moments.values()))[0])
    copy = Generator(generator.model_config, num_statistics=count, dtype="float32")
    for source, target in zip(generator.weights, copy.weights, strict=True):
        if not source.name.startswith("moving_"):
            target.assign(source)
    for path, layer in layers_of(copy, BatchNorm).items():
        for variable, value in zip((layer.moving_mean, layer.moving_variance), moments[path], strict=True):
            variable.assign(value.reshape(variable.shape))
    return copy


def _write_json(path: str, value: Any) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
