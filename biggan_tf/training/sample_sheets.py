"""Sheets of samples with latents that stay the same, so that one class can be followed through the training."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

from biggan_tf import latents
from biggan_tf.training.gan import BigGAN

_ROWS, _COLUMNS = 10, 8
_GAP = 2
_HEADER = 16


class SampleSheets:
    """Draws the same latents with the average and with the weights in training.

    Args:
        gan: Whose samples.
        folder: Where the PNG files go.
        label_names: Of the data, beside the rows; may be empty.
    """

    def __init__(self, gan: BigGAN, folder: str, label_names: Sequence[str] = ()):
        self._gan = gan
        self._folder = folder
        model = gan.config.model
        self._rows = min(_ROWS, model.num_classes) if model.num_classes else _COLUMNS
        # Spread over all classes, whose neighbours look alike in ImageNet.
        labels = [row * max(model.num_classes, 1) // self._rows for row in range(self._rows)]
        self._row_names = [label_names[label] if model.num_classes and label_names else "" for label in labels]
        self._labels = tf.constant(np.repeat(labels, _COLUMNS), tf.int32)
        key = tf.constant([gan.config.training.seed, 1 << 20], tf.int64)
        prior = latents.PRIORS[gan.config.latents.distribution]
        self._z = prior(key, [self._rows * _COLUMNS, model.z_dim])
        self._functions = {
            "average": tf.function(lambda z, labels: self._images(gan.average_generator, z, labels), autograph=False),
            "in training": tf.function(lambda z, labels: self._images(gan.generator, z, labels), autograph=False),
        }

    def draw(self) -> dict[str, np.ndarray]:
        """Grids by whose they are: uint8 [H, W, 3]."""
        return {name: self._grid(function) for name, function in self._functions.items()}

    def save(self, step: int, grids: dict[str, np.ndarray]) -> str:
        """Writes both grids side by side under one name, whole or not at all."""
        path = os.path.join(self._folder, f"step-{step:08d}.png")
        content = io.BytesIO()
        self._sheet(step, grids).save(content, "PNG")
        tf.io.gfile.makedirs(self._folder)
        with tf.io.gfile.GFile(path + ".writing", "wb") as file:
            file.write(content.getvalue())
        tf.io.gfile.rename(path + ".writing", path, overwrite=True)
        return path

    def _images(self, generator: Any, z: Any, labels: Any) -> Any:
        inputs = (z, generator.embed(labels)) if self._gan.config.model.num_classes else z
        return tf.cast(tf.round((generator(inputs, training=False) + 1.0) * 127.5), tf.uint8)

    def _grid(self, function: Any) -> np.ndarray:
        # A row at a time: little memory, whatever the resolution.
        rows = []
        for row in range(self._rows):
            part = slice(row * _COLUMNS, (row + 1) * _COLUMNS)
            images = np.pad(function(self._z[part], self._labels[part]).numpy(), [(0, 0), *[(0, _GAP)] * 2, (0, 0)])
            rows.append(np.concatenate(list(images), axis=1))
        return np.concatenate(rows, axis=0)

    def _sheet(self, step: int, grids: dict[str, np.ndarray]) -> Image.Image:
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
