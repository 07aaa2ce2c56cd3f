"""Writes PNG files (ISO/IEC 15948): twice as fast as libpng's usual settings, and photographs at most 5% larger.

PNG predicts each byte from its neighbours and compresses what is left. libpng tries five predictions for each row, and
then looks for repeated strings. Here all rows have the same prediction, the mean of the pixels to the left and above,
which takes NumPy five passes over the picture. What it leaves of a photograph repeats little more than single bytes, so
that zlib looks for runs of equal bytes alone. `docs/measurements.md` has the figures.

The same pixels give the same bytes wherever zlib, the library that Python uses, has the same version.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from jaxtyping import UInt8

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AVERAGE = 3  # the number of the prediction, which stands in front of each row
_BITS, _RGB = 8, 2


def encode_png(pixels: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """The bytes of a PNG file.

    Args:
        pixels: The picture.
    """
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, _BITS, _RGB, 0, 0, 0)
    compressor = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    data = compressor.compress(_filtered(pixels).data) + compressor.flush()
    return b"".join([_SIGNATURE, *_chunk(b"IHDR", header), *_chunk(b"IDAT", data), *_chunk(b"IEND", b"")])


def _filtered(pixels: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H B"]:
    """Rows of the number of the prediction, and each byte less the mean of those to its left and above, modulo 256."""
    height, width, channels = pixels.shape
    left, above = np.zeros_like(pixels), np.zeros_like(pixels)
    left[:, 1:], above[1:] = pixels[:, :-1], pixels[:-1]
    # floor((a + b) / 2) without a ninth bit: bits of both count whole, bits of one count half.
    mean = (left & above) + ((left ^ above) >> 1)
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0] = _AVERAGE
    rows[:, 1:] = (pixels - mean).reshape(height, -1)
    return rows


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """The parts of a chunk: the length of its data, its kind, its data, and the checksum of the two."""
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
