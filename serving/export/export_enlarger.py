"""Writes a generator that enlarges pictures as a version that can be served."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from biggan_tf import files
from biggan_tf.contracts.enlarging_generator import EnlargingGenerator
from biggan_tf.inference.folding import copy_for
from biggan_tf.inference.tiled_enlargement import TiledEnlarger
from serving import signatures as s
from serving.export.infra_validation import ENLARGED, validate
from serving.export.served_enlarger import ServedEnlarger
from serving.export.version_directory import new_version
from serving.input_limits import of_pictures, to_json

# The largest difference in grey levels between the pictures of an export and those of its generator.
LEVELS = {"float32": 1.0, "bfloat16": 13.0}


def export_enlarger(generator: EnlargingGenerator, base: str, provenance: dict[str, Any], precision: str) -> str:
    """Exports a generator as the next version of a served model, with the signature `upscale`.

    Args:
        generator: A generator with the weights to serve, those of the moving average. It is not changed.
        base: Folder of the model. Its versions are subfolders 1, 2, ...
        provenance: Where the weights come from; goes into provenance.json.
        precision: Type of the computations, "float32" or "bfloat16".

    Returns:
        The folder of the new version.

    Raises:
        ExportError: What was written does not load, or differs from the generator. It was removed.
    """
    copy = copy_for(generator, {}, precision)
    if not isinstance(copy, EnlargingGenerator):
        raise ValueError(f"upscale needs a generator that enlarges images. Received: {generator.config.kind}")
    sizes = {"resolution": generator.config.resolution, "enlargement": generator.config.enlargement}
    module = ServedEnlarger(copy)
    with new_version(base) as version:
        with files.os_errors(version.staged):
            tf.saved_model.save(module, version.staged, signatures=module.functions())
        assets = os.path.join(version.staged, "assets")
        files.write_json(os.path.join(assets, s.LABELS_ASSET), [])
        provenance = {**provenance, "precision": precision, s.ROWS: s.EXACT, "sizes": {**sizes, "num_classes": 0}}
        files.write_json(os.path.join(assets, s.PROVENANCE_ASSET), provenance, ensure_ascii=False)
        files.write_text(os.path.join(assets, s.LIMITS_ASSET), to_json(of_pictures(s.MAX_PICTURE_PIXELS)))
        validate(version.staged, _reference(generator), LEVELS[precision])
    return version.path


def _reference(generator: EnlargingGenerator) -> dict[str, np.ndarray]:
    """Pictures and what the generator makes of them, in tiles of another size than the export's."""
    levels = np.random.default_rng(0).integers(0, 256, (3, 40, 150, 3)).astype(np.uint8)
    enlarger = TiledEnlarger(generator, 96)
    files_of = [_as_png(picture) for picture in levels]
    large = np.stack([enlarger(picture, seed) for seed, picture in enumerate(levels)])
    # Each of the pictures by its number: an array of texts would lose the zeros at its end.
    numbered = {f"{s.IMAGE_BYTES}_{row}": np.frombuffer(data, np.uint8) for row, data in enumerate(files_of)}
    return {**numbered, ENLARGED: large}


def _as_png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
