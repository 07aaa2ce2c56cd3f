"""Enlarges pictures with a trained generator of super-resolution.

python -m biggan_tf.upscale --workdir=RUN --input=photo.jpg --output=large.png
python -m biggan_tf.upscale --weights=presets/photographs --input=photo.webp --output=large.png
python -m biggan_tf.upscale --model=models/large/1 --input=photo.png --output=large.png

The picture is a PNG, JPEG or WebP file of up to 50 million pixels (--max_pixels), the result a PNG file that is 2 or 4
times as large along either side, as the generator was trained. It is computed in tiles and written row by row, so that
the small picture is the only thing in memory that grows with its size.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

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
from biggan_tf.inference.tiled_enlargement import TILE, TileByTile, TiledEnlarger
from biggan_tf.progress import track

_WORKDIR = shared_flags.workdir()
_WEIGHTS = shared_flags.weights()
_MODEL = flags.DEFINE_string("model", "", "A version folder that serving.export wrote, in the place of a run.")
_RAW = shared_flags.raw()
_INPUT = flags.DEFINE_string("input", None, "The picture: a PNG, JPEG or WebP file.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The PNG file to write, e.g. large.png.", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "Any integer; decides detail that the picture has not.")
_TILE = flags.DEFINE_integer(
    "tile",
    TILE,
    "Pixels of a tile along either side, with its margins; less needs less memory. An export has its own.",
    lower_bound=1,
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
    _write_in_bands(picture, _exported(_MODEL.value) if _MODEL.value else _trained())
    print(_OUTPUT.value)  # noqa: T201 - the output


def _write_in_bands(picture: UInt8[np.ndarray, "h w 3"], enlarger: TileByTile) -> None:
    height, width = picture.shape[:2]
    bands = track(enlarger.bands(picture, _SEED.value), -(-height // enlarger.core), "upscale", "band")
    with files.replacing(_OUTPUT.value) as file:
        picture_files.write_png(file.write, enlarger.factor * width, enlarger.factor * height, bands)


def _trained() -> TileByTile:
    generator = enlarging(image_sources.load(_WORKDIR.value, _WEIGHTS.value, ema=not _RAW.value).generator)
    return TiledEnlarger(generator, _TILE.value)


def _exported(folder: str) -> TileByTile:
    """The tiles of an export, computed here, so that no limit of a served request holds.

    Raises:
        ValueError: If the folder holds no export that enlarges pictures.
    """
    if not tf.saved_model.contains_saved_model(folder):
        raise ValueError(f"--model must be a version folder that serving.export wrote. Received: {folder}")
    loaded = tf.saved_model.load(folder)
    if "upscale" not in loaded.signatures:
        raise ValueError(f"--model must have the signature upscale. Received: {', '.join(loaded.signatures)}")
    if not hasattr(loaded, "tile_sizes"):
        raise ValueError(f"--model must have the function tile_sizes. Received: none in {folder}; export the run again")

    def enlarge_tile(levels: tf.Tensor, seed: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        return loaded.enlarge_tile(levels, seed, offset)  # holds what was loaded: its function alone has no variables

    sizes = {name: int(size) for name, size in loaded.tile_sizes().items()}
    return TileByTile(enlarge_tile, **sizes)


if __name__ == "__main__":
    run()
