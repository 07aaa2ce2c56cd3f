"""Enlarges pictures with a trained generator of super-resolution.

python -m biggan_tf.upscale --workdir=RUN --input=photo.jpg --output=large.png
python -m biggan_tf.upscale --weights=presets/photographs --input=photo.webp --output=large.png
python -m biggan_tf.upscale --model=models/large/1 --input=photo.png --output=large.png

The picture is a PNG, JPEG or WebP file of any size, the result a PNG file that is 2 or 4 times as large, as the
generator was trained. It is computed in tiles and written row by row, so that the memory does not grow with the result.
An export (--model) gives its answer as a whole instead, and takes pictures of up to four million pixels.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from biggan_tf import environment

environment.prepare()

import numpy as np
import tensorflow as tf
from absl import flags
from jaxtyping import UInt8

from biggan_tf import files, picture_files
from biggan_tf.config import flags as config_flags
from biggan_tf.config import shared_flags
from biggan_tf.evaluation.enlargement_evaluator import enlarging
from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.inference.tiled_enlargement import TILE, TiledEnlarger
from biggan_tf.progress import track

_WORKDIR = shared_flags.workdir()
_WEIGHTS = shared_flags.weights()
_MODEL = flags.DEFINE_string("model", "", "A version folder that serving.export wrote, in the place of a run.")
_RAW = shared_flags.raw()
_INPUT = flags.DEFINE_string("input", None, "The picture: a PNG, JPEG or WebP file.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The PNG file to write, e.g. large.png.", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "Any integer; decides detail that the picture has not.")
_TILE = flags.DEFINE_integer(
    "tile", TILE, "Pixels of a tile along either side, with its margins; less needs less memory.", lower_bound=1
)
_MAX_PIXELS = flags.DEFINE_integer(
    "max_pixels", picture_files.MAX_PIXELS, "A picture of more pixels is refused.", lower_bound=1
)


def main(argv: Sequence[str]) -> int:
    """Enlarges the picture that the flags name."""
    del argv
    try:
        for flag in (_WORKDIR, _MODEL, _INPUT, _OUTPUT):
            files.require_file_system(f"--{flag.name}", flag.value)
        _upscale()
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.upscale: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


def _upscale() -> None:
    if Path(_OUTPUT.value).suffix.lower() != ".png":
        raise ValueError(f"--output must be the name of a PNG file, e.g. large.png. Received: {_OUTPUT.value}")
    picture = picture_files.read_picture(files.read_bytes(_INPUT.value), _MAX_PIXELS.value)
    if _MODEL.value and (_WORKDIR.value or _WEIGHTS.value):
        raise ValueError("one of --workdir, --weights and --model must be given. Received: more than one")
    if _MODEL.value:
        large = enlarged_by_export(_MODEL.value, picture, _SEED.value)
        with files.replacing(_OUTPUT.value) as file:
            file.write(large)
    else:
        _write_in_bands(picture)
    print(_OUTPUT.value)  # noqa: T201 - the output


def _write_in_bands(picture: UInt8[np.ndarray, "h w 3"]) -> None:
    generator = enlarging(image_sources.load(_WORKDIR.value, _WEIGHTS.value, ema=not _RAW.value).generator)
    enlarger = TiledEnlarger(generator, _TILE.value)
    height, width = picture.shape[:2]
    bands = track(enlarger.bands(picture, _SEED.value), -(-height // enlarger.core), "upscale", "band")
    with files.replacing(_OUTPUT.value) as file:
        picture_files.write_png(file.write, enlarger.factor * width, enlarger.factor * height, bands)


def enlarged_by_export(folder: str, picture: UInt8[np.ndarray, "h w 3"], seed: int) -> bytes:
    """A PNG file of a picture that an export enlarged.

    Args:
        folder: A version folder that `serving.export` wrote.
        picture: The picture.
        seed: Decides detail that it has not.

    Raises:
        ValueError: If the folder holds no such export, or the export refuses the picture for its size.
    """
    if not tf.saved_model.contains_saved_model(folder):
        raise ValueError(f"--model must be a version folder that serving.export wrote. Received: {folder}")
    signatures = tf.saved_model.load(folder).signatures
    if "upscale" not in signatures:
        raise ValueError(f"--model must have the signature upscale. Received: {', '.join(signatures)}")
    png = io.BytesIO()
    picture_files.write_png(png.write, picture.shape[1], picture.shape[0], [picture])
    answer = signatures["upscale"](image_bytes=tf.constant([png.getvalue()]), seed=tf.constant([seed], tf.int64))
    if not answer["valid"].numpy().all():
        raise ValueError(
            f"the export takes no picture of {picture.shape[1]} x {picture.shape[0]} pixels; use --workdir"
        )
    return bytes(answer["image_bytes"].numpy()[0])


if __name__ == "__main__":
    run()
