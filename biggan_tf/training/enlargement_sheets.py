"""Draws sheets of images that were enlarged while a run trains: always of the same images, next to what they are of."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

from biggan_tf import files
from biggan_tf.config import DataConfig
from biggan_tf.contracts.enlarging_generator import EnlargingGenerator
from biggan_tf.data import input_pipeline
from biggan_tf.latents import noise_keys
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.ops.resizing import enlarged
from biggan_tf.training.checkpoints.files import CheckpointError
from biggan_tf.training.checkpoints.loading import load_generator
from biggan_tf.training.gan import GAN
from biggan_tf.training.sample_sheets import Grid
from biggan_tf.types import Images

_ROWS = 8
_GAP = 2
_HEADER = 16


class EnlargementSheets:
    """Draws a row for each of the first images of the data.

    A row shows the small image with its pixels as squares, its bicubic enlargement, the image of a generator that was
    trained on pixels alone if there is one, those of the EMA generator and of the trained one, and the large image.

    Args:
        gan: The model whose two generators draw.
        folder: The folder for the PNG files, local or a URL.
        images: The large images, in [-1, 1].
        pixels: The generator that was trained on pixels alone; None: there is no column of it.
    """

    def __init__(self, gan: GAN, folder: str, images: Images, pixels: EnlargingGenerator | None = None):
        self._gan, self._folder, self._pixels = gan, folder, pixels
        self._images = tf.convert_to_tensor(images, gan.generator.variable_dtype)
        self._keys = noise_keys(tf.range(self._images.shape[0], dtype=tf.int64))
        self._function = tf.function(self._columns, autograph=False)

    def draw(self) -> dict[str, Grid]:
        """Draws the columns, by what each shows."""
        return {name: np.concatenate(list(column.numpy())) for name, column in self._function().items()}

    def save(self, step: int, grids: dict[str, Grid]) -> str:
        """Writes all columns side by side into one PNG file; a process that is killed leaves no half of it.

        Args:
            step: How many steps the generator was trained, for the name of the file and the heading.
            grids: From `draw`.

        Returns:
            The path of the file.
        """
        width, height = (next(iter(grids.values())).shape[axis] for axis in (1, 0))
        sheet = Image.new("RGB", (len(grids) * (width + _GAP), 2 * _HEADER + height), "white")
        pen = ImageDraw.Draw(sheet)
        pen.text((2, 2), f"step {step}", fill="black")
        for number, (name, grid) in enumerate(grids.items()):
            pen.text((number * (width + _GAP) + 2, _HEADER + 2), name, fill="black")
            sheet.paste(Image.fromarray(grid), (number * (width + _GAP), 2 * _HEADER))
        path = files.join(self._folder, f"step-{step:08d}.png")
        with files.replacing(path) as file:
            sheet.save(file, "PNG")
        return path

    def _columns(self) -> dict[str, tf.Tensor]:
        generator, average = self._gan.generator, self._gan.ema_generator
        if not isinstance(generator, EnlargingGenerator) or not isinstance(average, EnlargingGenerator):
            raise ValueError(f"A sheet of enlargements needs networks that enlarge. Received: {generator.config.kind}")
        small, factor = generator.reduce(self._images), generator.config.enlargement
        columns = {
            "input": tf.repeat(tf.repeat(small, factor, axis=1), factor, axis=2),
            "bicubic": enlarged(small, factor),
            **({} if self._pixels is None else {"pixel loss": self._pixels.enlarge(small, self._keys)}),
            "average": average.enlarge(small, self._keys),
            "in training": generator.enlarge(small, self._keys),
            "truth": self._images,
        }
        return {name: to_bytes(images) for name, images in columns.items()}


def first_images(data: DataConfig) -> Images:
    """The first images of the training's data, as they are stored.

    Args:
        data: Which data.
    """
    batches = input_pipeline.one_pass(data.path, _ROWS, split=data.split, skip_damaged_shards=data.skip_damaged_shards)
    return next(iter(batches))[0]


def pixel_generator(workdir: str, factor: int) -> EnlargingGenerator:
    """The EMA generator of a run on pixels alone, as it is now.

    Args:
        workdir: The folder of the run.
        factor: How many times as large it must make images.

    Raises:
        CheckpointError: If the folder holds no such run.
    """
    generator = load_generator(workdir)[0]
    if not isinstance(generator, EnlargingGenerator) or generator.config.enlargement != factor:
        raise CheckpointError(
            f"monitoring.pixel_workdir must be a run that enlarges images {factor} times. Received: {workdir}, of "
            f"model {generator.config.kind} that enlarges {generator.config.enlargement} times."
        )
    return generator
