"""Writes a generator as a version that TensorFlow Serving can serve."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf import files
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.enlarging_generator import EnlargingGenerator
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.inference import BatchNormMoments
from biggan_tf.contracts.style_generator import StyleGenerator
from biggan_tf.inference.folding import copy_for, fold_discriminator
from biggan_tf.latents import noise_keys
from biggan_tf.progress import Parts
from serving import signatures as s
from serving.export.export_enlarger import export_enlarger
from serving.export.infra_validation import IMAGES_OF_STYLES, validate
from serving.export.served_generator import ServedGenerator, model_sizes
from serving.export.version_directory import new_version
from serving.export.warmup_requests import write_warmup
from serving.input_limits import limits_for, to_json

# The largest difference that is allowed between the images, in [-1, 1], of an export and of its generator; with
# rows="fast" also between the images of one row in two batches.
TOLERANCES = {"float32": 1e-5, "bfloat16": 0.1}

# The parts of an export, for its progress.
_FOLD, _TRACE, _WRITE, _CHECK = "fold", "trace", "write", "check by a server"


def export_generator(
    generator: Generator,
    moments: BatchNormMoments,
    base: str,
    labels: Sequence[dict[str, str]],
    provenance: dict[str, Any],
    precision: str = "float32",
    batch_sizes: Sequence[int] = s.DEFAULT_BATCH_SIZES,
    model_name: str = s.MODEL_NAME,
    *,
    discriminator: Discriminator | None = None,
    rows: str = s.EXACT,
    progress: bool = False,
) -> str:
    """Exports a generator as the next version of a served model.

    One that enlarges pictures has the signature `upscale` alone (`serving.export.export_enlarger`).

    Args:
        generator: A generator with the weights to serve, those of the moving average. It is not changed.
        moments: The means and variances that its batch norms are to serve with; {} where it has no batch norm.
        base: Folder of the model, e.g. "models/biggan". Its versions are subfolders 1, 2, ...
        labels: `synset` and `name` of each class, in the order of the class indices; goes into labels.json.
        provenance: Where the weights come from: the run's configuration, its images seen, metrics and the fingerprint
            of its data. Goes into provenance.json, with the date and time of the export.
        precision: Type of the computations, "float32" or "bfloat16".
        batch_sizes: Batch sizes for which a server is warmed up.
        model_name: The name that the model will be served under; warm-up requests hold it.
        discriminator: The trained discriminator, for the signature `discriminate`; None: without that signature.
        rows: "exact": a row has the same bits in any batch. "fast": a batch is computed together; not for a generator
            that enlarges.
        progress: Whether a bar tells which part is being done; not by default.

    Returns:
        The folder of the new version.

    Raises:
        ExportError: What was written does not load, differs from the generator, or cannot be served. It was removed.
        ValueError: Labels do not name all classes; or a generator that enlarges is to have a discriminator or fast
            rows.
    """
    provenance = {**provenance, s.EXPORTED: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    if isinstance(generator, EnlargingGenerator):
        if discriminator is not None:
            raise ValueError("--discriminator needs a generator that draws from seeds. Received: one that enlarges.")
        if rows != s.EXACT:
            raise ValueError(
                f"--rows must be {s.EXACT} for a generator that enlarges, which computes each picture by itself. "
                f"Received: {rows}; leave it out."
            )
        return export_enlarger(generator, base, provenance, precision)
    with Parts((_FOLD, _TRACE, _WRITE, _CHECK), progress) as parts:
        parts.begin(_FOLD)
        folded = generator.config.fold(generator, moments, precision, rows)
        sizes = model_sizes(folded)
        if len(labels) != sizes["num_classes"]:
            raise ValueError(f"labels must name all {sizes['num_classes']} classes. Received: {len(labels)}")
        module = ServedGenerator(folded, None if discriminator is None else fold_discriminator(discriminator))
        parts.begin(_TRACE)
        functions = module.functions()
        with new_version(base) as version:
            staged = version.staged
            parts.begin(_WRITE)
            with files.os_errors(staged):
                tf.saved_model.save(module, staged, signatures=functions)
            assets = os.path.join(staged, "assets")
            files.write_json(os.path.join(assets, s.LABELS_ASSET), list(labels), ensure_ascii=False)
            provenance = {**provenance, "precision": precision, s.ROWS: rows, "sizes": sizes}
            files.write_json(os.path.join(assets, s.PROVENANCE_ASSET), provenance, ensure_ascii=False)
            rule = generator.config.truncation_rule
            files.write_text(os.path.join(assets, s.LIMITS_ASSET), to_json(limits_for(sizes, (rule.low, rule.high))))
            warmed_up = [name for name in functions if name not in s.NOT_WARMED_UP]
            with files.os_errors(staged):
                write_warmup(staged, sizes, batch_sizes, model_name, warmed_up)
            parts.begin(_CHECK)
            validate(staged, _reference(generator, moments, sizes), TOLERANCES[precision], rows)
        return version.path


def _reference(generator: Generator, moments: BatchNormMoments, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Inputs of the signatures and what the generator as it was trained makes of them, to compare the export with.

    Nothing of the export takes part: each call divides the kernels by their singular values, and nothing is traced.
    """
    truncation = np.array([1.0, 0.5, 0.25], np.float32)
    z = np.random.default_rng(0).standard_normal((3, sizes["z_dim"])).astype(np.float32)
    if not generator.config.truncation_rule.of_styles:
        z = z * truncation[:, None]
    eager = copy_for(generator, moments, "float32")
    reference, embedding = {s.LATENT: z, s.TRUNCATION: truncation}, None
    if sizes["num_classes"]:
        y = np.eye(sizes["num_classes"], dtype=np.float32)[np.arange(3) % sizes["num_classes"]]
        embedding = eager.embed(np.argmax(y, axis=1))
        reference[s.CLASS_WEIGHTS] = y
    inputs = z if embedding is None else (z, embedding)
    reference[s.IMAGES] = np.asarray(eager(inputs, training=False, truncation=truncation))
    if isinstance(eager, StyleGenerator) and "num_styles" in sizes:
        cutoff, seeds = np.array([s.ALL_LAYERS, 1, 0], np.int32), np.array([3, 4, 5])
        w = eager.layer_ws(z, embedding, truncation, cutoff)
        images = eager.synthesise(eager.styles_from(w), noise_keys(tf.constant(seeds)))
        halves: dict[str, np.ndarray] = {s.CUTOFF: cutoff, s.SEED: seeds}
        halves |= {s.STYLES: np.asarray(w), IMAGES_OF_STYLES: np.asarray(images)}
        return {**reference, **halves}
    return reference
