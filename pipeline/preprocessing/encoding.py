"""Encodes pixels for storage. PNG, raw and WebP keep every pixel; JPEG does not, which changes FIDs."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pipeline.preprocessing.png_file import encode_png

_JPEG_QUALITY = 95


def encode(pixels: np.ndarray, image_format: str) -> bytes:
    """The bytes of an image file.

    Args:
        pixels: uint8 `[H, W, 3]`.
        image_format: "png", "webp" (lossless), "jpeg", or "raw": the pixels row by row, without a header.
    """
    if image_format == "raw":
        return pixels.tobytes()
    if image_format == "png":
        return encode_png(pixels)
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if image_format == "jpeg":
        image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        image.save(buffer, "WEBP", lossless=True, quality=0, method=0)
    return buffer.getvalue()


def expected_bytes(resolution: int, image_format: str) -> int:
    """The bytes that one stored photograph takes on average, as measured on ImageNet at 128 pixels."""
    share = {"raw": 1.0, "png": 0.65, "webp": 0.51, "jpeg": 0.28}[image_format]
    return int(resolution * resolution * 3 * share) + 250
