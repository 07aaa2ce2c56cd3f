"""Draws sheets of samples while a run trains, always of the same latents, so that one can follow how they change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from biggan_tf import files, latents
from biggan_tf.contracts.generator import Generator
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.training.gan import GAN
from biggan_tf.types import ByteImages, Labels, Latents

Grid: TypeAlias = UInt8[np.ndarray, "H W 3"]  # images in rows and columns, grey levels from 0 to 255

_ROWS, _COLUMNS = 10, 8
_GAP = 2
_HEADER = 16


class SampleSheets:
    """Draws images of the same latents and labels with the EMA generator and with the generator in training.

    A row shows eight images of one class. The classes are spread evenly over all; without classes there are eight rows.

    Args:
        gan: The model whose two generators draw.
        folder: The folder for the PNG files, local or a URL.
        label_names: The names of the classes by label, written to the left of the rows; empty: no names.
    """

    def __init__(self, gan: GAN, folder: str, label_names: Sequence[str] = ()):
        self._gan = gan
        self._folder = folder
        model = gan.config.model
        self._rows = min(_ROWS, model.num_classes) if model.num_classes else _COLUMNS
        # Spread over all classes, because neighbours look alike in ImageNet.
        labels = [row * max(model.num_classes, 1) // self._rows for row in range(self._rows)]
        self._row_names = [label_names[label] if model.num_classes and label_names else "" for label in labels]
        self._labels = tf.constant(np.repeat(labels, _COLUMNS), tf.int32)
        key = tf.constant([gan.config.training.seed, 1 << 20], tf.int64)
        prior = latents.prior(model.prior)
        self._z = prior(key, [self._rows * _COLUMNS, model.z_dim])
        self._functions = {
            "average": tf.function(lambda z, labels: self._images(gan.ema_generator, z, labels), autograph=False),
            "in training": tf.function(lambda z, labels: self._images(gan.generator, z, labels), autograph=False),
        }

    def draw(self) -> dict[str, Grid]:
        """Draws a grid of images with each of the two generators; by "average" (of the EMA) and "in training"."""
        return {name: self._grid(function) for name, function in self._functions.items()}

    def save(self, step: int, grids: dict[str, Grid]) -> str:
        """Writes both grids side by side into one PNG file; a process that is killed leaves no half of it.

        Args:
            step: How many steps the generator was trained, for the name of the file and the headings.
            grids: From `draw`.

        Returns:
            The path of the file.
        """
        path = files.join(self._folder, f"step-{step:08d}.png")
        with files.replacing(path) as file:
            self._sheet(step, grids).save(file, "PNG")
        return path

    def _images(self, generator: Generator, z: Latents, labels: Labels) -> ByteImages:
        return to_bytes(generator(generator.inputs_of(z, labels), training=False))

    def _grid(self, function: Callable[[Latents, Labels], tf.Tensor]) -> Grid:
        # A row at a time: little memory, whatever the resolution.
        rows = []
        for row in range(self._rows):
            part = slice(row * _COLUMNS, (row + 1) * _COLUMNS)
            images = np.pad(function(self._z[part], self._labels[part]).numpy(), [(0, 0), *[(0, _GAP)] * 2, (0, 0)])
            rows.append(np.concatenate(list(images), axis=1))
        return np.concatenate(rows, axis=0)

    def _sheet(self, step: int, grids: dict[str, Grid]) -> Image.Image:
        size = self._gan.config.model.resolution + _GAP
        draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
        margin = _GAP + int(max(draw.textlength(name) for name in self._row_names)) + (4 if any(self._row_names) else 0)
        width = sum(grid.shape[1] + 4 * _GAP for grid in grids.values()) + margin
        sheet = Image.new("RGB", (width, _HEADER + self._rows * size), "white")
        draw = ImageDraw.Draw(sheet)
        left = margin
        for name, grid in grids.items():
            draw.text((left, 2), f"{name}, step {step}", fill="black")
            sheet.paste(Image.fromarray(grid), (left, _HEADER))
            left += grid.shape[1] + 4 * _GAP
        for row, name in enumerate(self._row_names):
            draw.text((2, _HEADER + row * size + size // 2 - 6), name, fill="black")
        return sheet
