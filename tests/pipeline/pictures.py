"""Encoded pictures of every kind, and ways to damage them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def photograph(height, width, seed=0):
    """Smooth colours with some noise: compresses like a photograph."""
    draws = np.random.RandomState(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (7 + 5 * c) + seed) * 60 + np.cos(y / (9 + 4 * c)) * 60 + 128 for c in range(3)]
    noise = draws.normal(0, 8, [height, width, 3])
    return np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)


def encoded(pixels, image_format, mode="RGB", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, image_format, **options)
    return buffer.getvalue()


def png16(levels):
    buffer = io.BytesIO()
    Image.fromarray(levels.astype(np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def with_exif_orientation(data, orientation):
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + struct.pack("<H", orientation) + b"\0\0\0\0\0\0"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def huge_png(width=100_000, height=100_000):
    """A valid header of a huge image; a few hundred bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(3000))) + chunk(b"IEND", b"")
    )


def huge_webp():
    body = (
        b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff" * 2 + b"VP8 " + struct.pack("<I", 4) + bytes(4)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def huge_gif():
    return (
        b"GIF89a"
        + struct.pack("<HH", 65535, 65535)
        + b"\0\0\0"
        + b","
        + struct.pack("<HHHH", 0, 0, 65535, 65535)
        + b"\0\x02\0;"
    )


def huge_bmp():
    return (
        b"BM"
        + struct.pack("<IHHI", 60, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def huge_jpeg():
    data = bytearray(encoded(photograph(16, 16), "JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


BOMBS = (huge_png, huge_webp, huge_gif, huge_bmp, huge_jpeg)


def damaged(seed):
    """`(kind, bytes)` of one damaged picture; the same for the same seed."""
    draws = np.random.RandomState(seed)
    image_format = ("JPEG", "PNG", "WEBP", "BMP", "GIF")[draws.randint(5)]
    data = bytearray(encoded(photograph(*draws.randint(8, 96, 2), seed=seed), image_format))
    kind = ("truncated", "flipped", "mislabelled", "bomb", "empty", "header", "noise", "zeroed", "spliced")[seed % 9]
    if kind == "truncated":
        data = data[: draws.randint(1, len(data))]
    elif kind == "flipped":
        for position in draws.randint(0, len(data), draws.randint(1, 40)):
            data[position] ^= 1 << draws.randint(8)
    elif kind == "mislabelled":  # the magic bytes of one format before the body of another
        magic = (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBPVP8X", b"BM", b"GIF89a")[
            draws.randint(5)
        ]
        data[: len(magic)] = magic
    elif kind == "bomb":
        data = BOMBS[draws.randint(len(BOMBS))]()
    elif kind == "empty":
        data = bytes(draws.randint(0, 3))
    elif kind == "header":  # sizes and lengths near the front become extreme
        for position in draws.randint(4, min(64, len(data)), 6):
            data[position] = 0xFF
    elif kind == "noise":
        data[8:] = draws.bytes(max(0, len(data) - 8))
    elif kind == "zeroed":
        start = draws.randint(0, len(data))
        data[start : start + 200] = bytes(len(data[start : start + 200]))
    else:
        data = data[: len(data) // 2] + data[len(data) // 3 :]
    return kind, bytes(data)
