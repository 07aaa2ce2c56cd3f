"""A sheet: images in a grid, with captions, as one picture for a person to look at."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

_GAP = 2
_MARGIN = 6
_BACKGROUND = (255, 255, 255)
_INK = (20, 20, 20)


def draw_sheet(
    images: UInt8[np.ndarray, "Y X H W 3"],
    row_captions: Sequence[str] = (),
    column_captions: Sequence[str] = (),
    title: str = "",
    scale: int = 0,
) -> Image.Image:
    """Draws a sheet.

    Args:
        images: Y rows of X images each.
        row_captions: A text to the left of each row; (): none.
        column_captions: A text above each column; (): none.
        title: A text above the sheet; "": none.
        scale: Each pixel becomes a square of this many pixels; 0: images below 96 pixels are enlarged to about 96.
    """
    rows, columns, height, width, _ = images.shape
    scale = scale or max(1, round(96 / height))
    cell = (width * scale, height * scale)
    font = ImageFont.load_default(size=14)
    row_lines = [line for caption in row_captions for line in textwrap.wrap(caption, 20)]
    left = _widest(row_lines, font, 150) + (8 if row_captions else 0)
    column_lines = [textwrap.wrap(caption, max(4, cell[0] // 8)) for caption in column_captions]
    top = 17 * max((len(lines) for lines in column_lines), default=0) + (4 if column_captions else 0)
    head = 24 if title else 0
    grid = (columns * (cell[0] + _GAP) - _GAP, rows * (cell[1] + _GAP) - _GAP)
    total = max(grid[0] + left, _widest([title], font, 4000) if title else 0)
    sheet = Image.new("RGB", (total + 2 * _MARGIN, grid[1] + top + head + 2 * _MARGIN), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((_MARGIN, _MARGIN), title, _INK, font)
    for row in range(rows):
        y = _MARGIN + head + top + row * (cell[1] + _GAP)
        if row_captions:
            lines = "\n".join(textwrap.wrap(row_captions[row], 20)[: max(1, cell[1] // 17)])
            pen.multiline_text((_MARGIN + left - 8, y + cell[1] // 2), lines, _INK, font, "rm", align="right")
        for column in range(columns):
            x = _MARGIN + left + column * (cell[0] + _GAP)
            picture = Image.fromarray(images[row, column])
            sheet.paste(picture.resize(cell, Image.Resampling.NEAREST) if scale > 1 else picture, (x, y))
            if row == 0 and column_captions:
                place = (x + cell[0] // 2, y - 4)
                pen.multiline_text(place, "\n".join(column_lines[column]), _INK, font, "md", align="center")
    return sheet


def _widest(lines: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, limit: int) -> int:
    return min(limit, int(max((font.getlength(line) for line in lines), default=0)))
