"""Draws a data set for demos and tests: coloured shapes on pale backgrounds, in ten classes.

What a picture shows depends on its number and the seed alone, so it is the same on every machine. A shape is a function
that gives the signed distance of a point to the shape's edge; the antialiased edge and the soft shadow follow from it.
"""

from __future__ import annotations

import colorsys
import hashlib
import math
from collections.abc import Callable, Iterator

import numpy as np

from pipeline.errors import UsageError
from pipeline.sources.item import NOTHING_LEFT_OUT, SHAPE, Item

RENDER_SIZE = 128  # height and width in pixels; the job resizes it to the resolutions asked for
_VALIDATION_EVERY = 10  # of so many rounds through the classes, one is kept for validation
Field = np.ndarray


class Shapes:
    """The drawn data set.

    Args:
        num_images: Number of images, of all classes and both splits together.
        seed: Another seed gives other pictures.
    """

    expected_layout = "  none: the images are drawn"
    left_out = NOTHING_LEFT_OUT

    def __init__(self, num_images: int, seed: int):
        if num_images < 2 * len(CLASSES):
            raise UsageError(f"--num_shapes must be at least {2 * len(CLASSES)}. Received: {num_images}.")
        self.num_images = num_images
        self.seed = seed

    def items(self) -> Iterator[Item]:
        names = sorted(CLASSES)
        for number in range(self.num_images):
            class_name = names[number % len(names)]
            # The splits are told apart by rounds through the classes, so that each class has its share of both. The
            # second round is kept as well, so that the smallest data, two rounds, has both splits.
            turn = number // len(names)
            split = "validation" if turn % _VALIDATION_EVERY == _VALIDATION_EVERY - 1 or turn == 1 else "train"
            yield Item(f"{class_name}/{number:07d}", split, class_name, SHAPE, "", number, self.seed, class_name)

    def declared_classes(self) -> frozenset[str]:
        return frozenset(CLASSES)


def draw(class_name: str, number: int, seed: int) -> np.ndarray:
    """Draws one picture.

    Args:
        class_name: Name of the shape, a key of `CLASSES`.
        number: Number of the picture: another number gives another colour, place and size.
        seed: Seed of the data set.

    Returns:
        uint8 `[RENDER_SIZE, RENDER_SIZE, 3]`.
    """
    digest = hashlib.blake2b(f"{seed}/{class_name}/{number}".encode(), digest_size=8).digest()
    draws = np.random.default_rng(int.from_bytes(digest, "little"))
    axis = (np.arange(RENDER_SIZE, dtype=np.float32) + 0.5) / RENDER_SIZE * 2 - 1
    x, y = np.meshgrid(axis, axis)
    hue = draws.random()
    canvas = _background(x, y, hue, draws)
    radius, angle = draws.uniform(0.5, 0.72), draws.uniform(-0.25, 0.25)
    centre_x, centre_y = draws.uniform(-0.9 + radius, 0.9 - radius, 2) * 0.8
    distance = CLASSES[class_name]

    def field(shift_x: float, shift_y: float) -> Field:
        u, v = (x - centre_x - shift_x) / radius, (y - centre_y - shift_y) / radius
        return distance(math.cos(angle) * u + math.sin(angle) * v, math.cos(angle) * v - math.sin(angle) * u) * radius

    shadow = 0.45 / (1 + np.exp(np.clip(field(0.05, 0.08) / 0.035, -30, 30)))
    canvas *= 1 - shadow[..., None]
    inside = np.clip(0.5 - field(0, 0) * RENDER_SIZE / 2, 0, 1)[..., None]
    canvas = canvas * (1 - inside) + _paint(field(0, 0), y - centre_y, radius, hue, draws) * inside
    return np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)


def _background(x: Field, y: Field, hue: float, draws: np.random.Generator) -> Field:
    """A gradient between two pale colours of nearby hue."""
    towards = draws.uniform(0, 2 * math.pi)
    blend = ((math.cos(towards) * x + math.sin(towards) * y) / 2.83 + 0.5)[..., None]
    first = np.array(colorsys.hsv_to_rgb((hue + 0.5) % 1, draws.uniform(0.1, 0.35), draws.uniform(0.85, 1)))
    second = np.array(colorsys.hsv_to_rgb((hue + 0.58) % 1, draws.uniform(0.2, 0.5), draws.uniform(0.65, 0.9)))
    return (first * (1 - blend) + second * blend).astype(np.float32)


def _paint(distance: Field, below: Field, radius: float, hue: float, draws: np.random.Generator) -> Field:
    """The shape's colour: a saturated hue, lit from above, darker along its rim."""
    top = np.array(colorsys.hsv_to_rgb(hue, draws.uniform(0.55, 0.8), draws.uniform(0.9, 1)))
    bottom = np.array(colorsys.hsv_to_rgb((hue + 0.05) % 1, draws.uniform(0.75, 0.95), draws.uniform(0.6, 0.8)))
    blend = np.clip(below / (2 * radius) + 0.5, 0, 1)[..., None]
    rim = 0.82 + 0.18 * np.clip(-distance / 0.05, 0, 1)[..., None]
    return ((top * (1 - blend) + bottom * blend) * rim).astype(np.float32)


def _polygon(corners: list[tuple[float, float]]) -> Callable[[Field, Field], Field]:
    """The exact signed distance to a polygon: to its nearest edge, negative inside (an odd number of crossings)."""

    def distance(x: Field, y: Field) -> Field:
        nearest, sign = np.full_like(x, np.inf), np.ones_like(x)
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
            ex, ey, wx, wy = bx - ax, by - ay, x - ax, y - ay
            along = np.clip((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1)
            nearest = np.minimum(nearest, (wx - ex * along) ** 2 + (wy - ey * along) ** 2)
            above, side = (y >= ay) != (y >= by), (ex * wy > ey * wx) == (by > ay)
            sign = np.where(above & side, -sign, sign)
        return sign * np.sqrt(nearest)

    return distance


def _regular(count: int, inner: float = 0.0) -> Callable[[Field, Field], Field]:
    """A regular polygon with a corner at the top; a star if `inner`, the radius of its inner corners, is not 0."""
    step = 2 * math.pi / count
    corners = []
    for index in range(count):
        corners.append((math.sin(index * step), -math.cos(index * step)))
        if inner:
            corners.append((inner * math.sin((index + 0.5) * step), -inner * math.cos((index + 0.5) * step)))
    return _polygon(corners)


def _disc(x: Field, y: Field) -> Field:
    return np.hypot(x, y) - 0.95


def _ring(x: Field, y: Field) -> Field:
    return np.abs(np.hypot(x, y) - 0.7) - 0.25


def _crescent(x: Field, y: Field) -> Field:
    return np.maximum(np.hypot(x, y) - 0.95, 0.75 - np.hypot(x - 0.45, y))


def _heart_corners(count: int = 28) -> list[tuple[float, float]]:
    """The curve (16 sin^3 t, 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t) as a polygon of unit size, tip down."""
    corners = []
    for index in range(count):
        t = 2 * math.pi * index / count
        height = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        corners.append((math.sin(t) ** 3 * 0.95, -(height + 2.5) / 16 * 0.95))
    return corners


def _square(x: Field, y: Field) -> Field:
    return np.maximum(np.abs(x), np.abs(y)) - 0.78


_CROSS = [(-0.3, -0.9), (0.3, -0.9), (0.3, -0.3), (0.9, -0.3), (0.9, 0.3), (0.3, 0.3), (0.3, 0.9), (-0.3, 0.9),
          (-0.3, 0.3), (-0.9, 0.3), (-0.9, -0.3), (-0.3, -0.3)]  # fmt: skip

_HOURGLASS = [(-0.7, -0.9), (0.7, -0.9), (0.12, 0.0), (0.7, 0.9), (-0.7, 0.9), (-0.12, 0.0)]

CLASSES: dict[str, Callable[[Field, Field], Field]] = {
    "crescent": _crescent,
    "cross": _polygon(_CROSS),
    "diamond": _polygon([(0.0, -1.0), (0.65, 0.0), (0.0, 1.0), (-0.65, 0.0)]),
    "disc": _disc,
    "heart": _polygon(_heart_corners()),
    "hourglass": _polygon(_HOURGLASS),
    "ring": _ring,
    "square": _square,
    "star": _regular(5, inner=0.45),
    "triangle": _regular(3),
}
