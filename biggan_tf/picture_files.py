"""Reads pictures from files that nobody has checked, and writes PNG files row by row."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

Write: TypeAlias = Callable[[bytes], object]

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 50_000_000
# What Pillow's readers raise on damaged files; anything else is a mistake of ours and must not be hidden.
_DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError, SyntaxError, TypeError,
    ValueError, struct.error, zlib.error,
)  # fmt: skip
_PILLOWS_LIMIT = threading.Lock()
_ROWS = 16
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"


def read_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes a picture, upright: as its file says that it is to be turned.

    Transparency is dropped, 16-bit levels lose their low byte, and of several pictures the first is taken.

    Args:
        data: The content of a PNG, JPEG or WebP file.
        max_pixels: A picture of more pixels is refused before memory is allocated for it.

    Raises:
        ValueError: If it is none of these, is damaged, or has more pixels.
    """
    _check_webp_canvas(data, max_pixels)
    try:
        with _without_pillows_limit():
            opened = Image.open(io.BytesIO(data), formats=FORMATS)
    except _DAMAGE as error:
        raise ValueError(
            f"A picture must be a PNG, JPEG or WebP file. Received: {len(data)} bytes that begin with {data[:8].hex()}."
        ) from error
    _check_pixels(*opened.size, max_pixels)
    try:
        picture: Image.Image = opened
        ImageOps.exif_transpose(picture, in_place=True)  # a copy would need the memory of the picture once more
        if picture.mode.startswith("I"):
            levels = np.clip(np.asarray(picture).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
            picture = Image.fromarray(levels)
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except _DAMAGE as error:
        raise ValueError(f"A picture must be a whole file. Received: a damaged {opened.format} file.") from error


@contextlib.contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Takes Pillow's own limit away while a file is opened, which is when it holds: `max_pixels` may be above it.

    The limit is one for all threads, so that two that take it away and put it back must not do so at the same time.
    """
    with _PILLOWS_LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if not 0 < width * height <= max_pixels:
        raise ValueError(
            f"A picture must have from 1 to {max_pixels:,} pixels. Received: {width} x {height}; give a smaller one."
        )


def _check_webp_canvas(data: bytes, max_pixels: int) -> None:
    """Refuses a large WebP by its header, since Pillow allocates the whole canvas when it opens an animation."""
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and len(data) >= 30:
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        _check_pixels(width, height, max_pixels)


def write_png(write: Write, width: int, height: int, bands: Iterable[UInt8[np.ndarray, "rows W 3"]]) -> None:
    """Writes a PNG file of RGB pixels without ever holding the picture.

    Args:
        write: Takes the bytes of the file, one piece after another.
        width: The width of the picture, in pixels.
        height: The height of the picture, in pixels.
        bands: Its rows from top to bottom, some at a time.
    """
    write(_PNG_BEGIN)
    # 8 bits for each of three channels, the one compression and the one filter method, not interlaced.
    _write_chunk(write, b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    compressor = zlib.compressobj(6)
    above = np.zeros((1, 3 * width), np.uint8)
    for rows in _few_at_a_time(bands, 3 * width):
        # Filter 2, "up": the difference from the row above, modulo 256, with the filter's number in front.
        filtered = rows - np.concatenate([above, rows[:-1]])
        marked = np.concatenate([np.full((len(rows), 1), 2, np.uint8), filtered], axis=1)
        compressed = compressor.compress(marked.tobytes())
        if compressed:
            _write_chunk(write, b"IDAT", compressed)
        above = rows[-1:]
    _write_chunk(write, b"IDAT", compressor.flush())
    _write_chunk(write, b"IEND", b"")


def _few_at_a_time(
    bands: Iterable[UInt8[np.ndarray, "rows W 3"]], length: int
) -> Iterator[UInt8[np.ndarray, "rows length"]]:
    """Rows of the bands as lines of bytes, so few together that what is computed of them takes little memory."""
    for band in bands:
        rows = band.reshape(len(band), length)
        yield from (rows[begin : begin + _ROWS] for begin in range(0, len(rows), _ROWS))


def _write_chunk(write: Write, kind: bytes, content: bytes) -> None:
    write(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)))
