"""TensorBoard's files in the workdir, which every run has."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from jaxtyping import UInt8

from biggan_tf import files

FOLDER = "tensorboard"


class TensorBoardTracker:
    """Writes event files. An error of the disk is raised as OSError, because it would hit the next checkpoint as well.

    Args:
        workdir: The folder of the run, local or a URL; the files go to its subfolder "tensorboard".
    """

    def __init__(self, workdir: str):
        folder = files.join(workdir, FOLDER)
        self._errors = functools.partial(files.os_errors, folder)
        with self._errors():
            self._writer = tf.summary.create_file_writer(folder)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes numbers, and flushes, so that the curves are those of now."""
        with self._errors(), self._writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
            self._writer.flush()

    def pictures(self, step: int, grids: Mapping[str, UInt8[np.ndarray, "H W 3"]]) -> None:
        """Writes sheets of samples."""
        with self._errors(), self._writer.as_default(step=step):
            for name, grid in grids.items():
                tf.summary.image(f"samples {name}", grid[None])

    def close(self) -> None:
        """Closes the file."""
        with self._errors():
            self._writer.close()
