"""Decodes images from untrusted files to RGB pixels. The format is told by the content, not by the file's name.

TensorFlow decodes RGB and greyscale JPEGs, for it can decode only the rows and columns that are asked for; Pillow
decodes all others, and whatever TensorFlow refuses. A test shows that both give the same pixels. EXIF orientation is
ignored, as in every published ImageNet pipeline.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import RejectedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
# What Pillow's readers raise on damaged files; anything else is a mistake of ours and must not be hidden.
_DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError, SyntaxError, TypeError,
    ValueError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
# libjpeg interpolates chroma over its neighbours: decode this much more on each side, then cut.
_MARGIN = 16
Box = tuple[int, int, int, int]  # left, upper, right, lower


class SourceImage:
    """An image whose header has been read; its pixels are decoded when `pixels` is called.

    Args:
        data: The encoded bytes, the content of an image file.
        max_pixels: An image of more pixels is refused before memory is allocated for it.

    Raises:
        RejectedImageError: If the format is none of `FORMATS`, or the image is damaged or too large.
    """

    def __init__(self, data: bytes, max_pixels: int):
        self._data = data
        if not data:
            raise RejectedImageError("empty", "the file has no bytes")
        _check_webp_canvas(data, max_pixels)
        with _damage_becomes_rejection():
            try:
                self._image = Image.open(io.BytesIO(data), formats=FORMATS)
            except Image.UnidentifiedImageError as error:
                raise RejectedImageError("unknown_format", f"begins with {data[:16].hex()}") from error
        self.width, self.height = self._image.size
        self.format = "JPEG" if self._image.format == "MPO" else str(self._image.format)
        self.mode = self._image.mode
        _check_size(self.width, self.height, max_pixels)

    def pixels(self, box: Box | None = None) -> np.ndarray:
        """uint8 `[height, width, 3]` of the image, or of the part in `box`."""
        if self._is_plain_jpeg():
            decoded = _decode_jpeg(self._data, box or (0, 0, self.width, self.height), self.width, self.height)
            if decoded is not None:
                return decoded
        with _damage_becomes_rejection():
            image = _to_rgb(self._image)
            return np.asarray(image.crop(box) if box else image)

    def _is_plain_jpeg(self) -> bool:
        # transform 0: stored as RGB. Rare enough to leave to Pillow, like CMYK and YCCK.
        return self.format == "JPEG" and self.mode in ("RGB", "L") and self._image.info.get("adobe_transform") != 0


def _to_rgb(image: Image.Image) -> Image.Image:
    """Three channels of 8 bits; transparency is dropped, 16-bit levels lose their low byte."""
    image.seek(0)
    image.load()
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).convert("RGB")
    image.info.pop("transparency", None)  # convert would warn about it, or add an alpha channel
    return image if image.mode == "RGB" else image.convert("RGB")


def _decode_jpeg(data: bytes, box: Box, width: int, height: int) -> np.ndarray | None:
    """The pixels of a box, or None when TensorFlow cannot decode them."""
    import tensorflow as tf

    left, upper, right, lower = box
    x0, y0 = max(0, left - _MARGIN), max(0, upper - _MARGIN)
    x1, y1 = min(width, right + _MARGIN), min(height, lower + _MARGIN)
    try:
        # INTEGER_ACCURATE is what Pillow uses; the default differs by up to 5 grey levels.
        decoded: Any = tf.image.decode_and_crop_jpeg(
            data, [y0, x0, y1 - y0, x1 - x0], channels=3, dct_method="INTEGER_ACCURATE"
        )
    except tf.errors.InvalidArgumentError:
        return None
    pixels: np.ndarray = decoded.numpy()
    return pixels[upper - y0 : lower - y0, left - x0 : right - x0]


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise RejectedImageError("damaged", f"its header says {width} x {height} pixels")
    if width * height > max_pixels:
        raise RejectedImageError("too_many_pixels", f"{width} x {height} is more than --max_pixels={max_pixels}")


def _check_webp_canvas(data: bytes, max_pixels: int) -> None:
    """Pillow allocates the canvas of an extended WebP as soon as it opens it, so its size is checked before."""
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and len(data) >= 30:
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        _check_size(width, height, max_pixels)


@contextmanager
def _damage_becomes_rejection() -> Iterator[None]:
    limit, Image.MAX_IMAGE_PIXELS = (
        Image.MAX_IMAGE_PIXELS,
        None,
    )  # --max_pixels is the limit, and an error, not a warning
    try:
        yield
    except RejectedImageError:
        raise
    except _DAMAGE as error:
        message = str(error) or type(error).__name__
        reason = "truncated" if "truncated" in message.lower() else "damaged"
        raise RejectedImageError(reason, message[:1000]) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
