"""Decodes the pictures of a request before it joins a batch, so that a bad file is the error of its own request alone.

What comes is any PNG, JPEG or WebP file. What the graph is given is a PNG that this module wrote: of a format that
TensorFlow decodes, upright, and of a size that was checked in its header before it was decoded.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from biggan_tf.picture_files import read_picture
from serving import signatures as s
from serving.input_limits import InputLimit
from serving.server.status import invalid_argument

# The graph decodes it once: little compression is the fastest.
_LEVEL = 1


def with_readable_pictures(limits: Mapping[str, InputLimit], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs of a request with a PNG in the place of each picture; others stay as they are.

    Args:
        limits: The limits of the model's inputs, by alias. The highest value of the pictures' limit is the most pixels
            of a request.
        arrays: The inputs of the request by alias.

    Raises:
        ServingError: A file is no picture, is damaged, or the pictures have too many pixels together.
    """
    limit, pictures = limits.get(s.IMAGE_BYTES), arrays.get(s.IMAGE_BYTES)
    if limit is None or limit.high is None or pictures is None:
        return arrays
    most, taken, made = int(limit.high), 0, []
    for row, data in enumerate(np.ravel(pictures)):
        if not isinstance(data, bytes):
            raise invalid_argument(f"{limit.rule}. Received: a text in row {row}")
        try:
            picture = read_picture(data, most)
        except ValueError as error:
            raise invalid_argument(f"{limit.rule}. Received in row {row}: {error}") from error
        height, width = picture.shape[:2]
        if taken + height * width > most:
            raise invalid_argument(
                f"{limit.rule}. Received in row {row}: {width} x {height} pixels, and {taken} in the rows before it. "
                "Send several requests."
            )
        taken += height * width
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG", compress_level=_LEVEL)
        made.append(file.getvalue())
    return {**arrays, s.IMAGE_BYTES: np.array(made, object).reshape(pictures.shape)}
