"""Reads the JSON files of an export that say more of the model than its signatures do."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf

_MAX_BYTES = 4 * 2**20
# What reading such a file may raise, whatever stands in it.
ERRORS = (OSError, ValueError, RecursionError, tf.errors.OpError)


def read_asset(path: str, name: str) -> Any:
    """The JSON of a file of an export; None if there is no such file.

    Args:
        path: The folder of the version.
        name: The name of the file in its `assets`.

    Raises:
        ValueError: It is no JSON, no file, or larger than 4 MiB.
        OpError: It cannot be read.
    """
    text = read_text(path, name)
    return None if text is None else json.loads(text)


def read_text(path: str, name: str) -> str | None:
    """The text of a file of an export; None if there is no such file.

    Args:
        path: The folder of the version.
        name: The name of the file in its `assets`.

    Raises:
        ValueError: It is no text, no file, or larger than 4 MiB.
        OpError: It cannot be read.
    """
    file = os.path.join(path, "assets", name)
    try:
        size = tf.io.gfile.stat(file).length
        if tf.io.gfile.isdir(file) or size > _MAX_BYTES:
            raise ValueError(f"It must be a file of at most {_MAX_BYTES} bytes.")
        with tf.io.gfile.GFile(file, "rb") as opened:
            return bytes(opened.read(_MAX_BYTES)).decode("utf-8-sig")
    except tf.errors.NotFoundError:
        return None
