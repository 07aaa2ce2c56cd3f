"""Writes frames as an animated WebP or GIF, or as numbered PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from biggan_tf import files

SUFFIXES = (".webp", ".gif")


def write(frames: Sequence[Image.Image], output: Path, frame_ms: int) -> None:
    """Writes an animation that begins again after its last frame.

    Args:
        frames: The pictures, of one size.
        output: A file that ends in .webp or .gif, which appears complete or not at all; anything else is a folder, for
            one PNG a frame.
        frame_ms: How long each is shown, in milliseconds.
    """
    suffix = output.suffix.lower()
    if suffix not in SUFFIXES:
        output.mkdir(parents=True, exist_ok=True)
        for number, frame in enumerate(frames):
            frame.save(output / f"{number:05d}.png")
        return
    options = {"lossless": True} if suffix == ".webp" else {}
    with files.replacing(output) as file:
        frames[0].save(
            file,
            suffix[1:].upper(),
            save_all=True,
            append_images=list(frames[1:]),
            duration=frame_ms,
            loop=0,
            **options,
        )
