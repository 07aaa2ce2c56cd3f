"""Crop and resize as named recipes. The id is written wherever the images or numbers made from them go.

FIDs of the same weights differ by several points between these, so a number without its recipe means nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from pipeline.decoding import Box, SourceImage
from pipeline.errors import PipelineError

VERSION = 1  # raise it when the pixels of any recipe change


def make_resizer(recipe: str) -> Callable[[SourceImage, Sequence[int]], dict[int, np.ndarray]]:
    """The function that turns one source image into all resolutions.

    Args:
        recipe: "biggan", "adm", "lanczos" or "compare_gan".

    Returns:
        A function of the image and the resolutions that gives uint8 `[resolution, resolution, 3]` for each; the
        image is decoded once.
    """
    if recipe not in _RECIPES:
        raise PipelineError(f"--recipe must be one of {', '.join(sorted(_RECIPES))}. Received: {recipe!r}.")
    crop, resize = _RECIPES[recipe]

    def run(image: SourceImage, resolutions: Sequence[int]) -> dict[int, np.ndarray]:
        pixels = Image.fromarray(image.pixels(crop(image.width, image.height)))
        return {resolution: resize(pixels, resolution) for resolution in resolutions}

    return run


def recipe_id(recipe: str) -> str:
    """The recipe with its version, e.g. 'biggan-1'."""
    return f"{recipe}-{VERSION}"


def pixels_hash(recipe: str) -> str:
    """Hash of what the recipe makes of a fixed picture: it changes when Pillow or the code makes other pixels."""
    _, resize = _RECIPES[recipe]
    noise = np.random.RandomState(0).randint(0, 256, [97, 97, 3]).astype(np.uint8)  # RandomState never changes
    return hashlib.sha256(resize(Image.fromarray(noise), 32).tobytes()).hexdigest()[:16]


def _rounded_square(width: int, height: int) -> Box:
    """As torchvision's center_crop, which BigGAN-PyTorch's CenterCropLongEdge calls: halves round to even."""
    side = min(width, height)
    left, upper = round((width - side) / 2), round((height - side) / 2)
    return left, upper, left + side, upper + side


def _floored_square(width: int, height: int) -> Box:
    """EDM2's and TensorFlow's centre crop: halves round down."""
    side = min(width, height)
    left, upper = (width - side) // 2, (height - side) // 2
    return left, upper, left + side, upper + side


def _whole(width: int, height: int) -> Box:
    return 0, 0, width, height


def _pillow(filter_: Image.Resampling) -> Callable[[Image.Image, int], np.ndarray]:
    def resize(image: Image.Image, resolution: int) -> np.ndarray:
        return np.asarray(image.resize((resolution, resolution), filter_))

    return resize


def _adm(image: Image.Image, resolution: int) -> np.ndarray:
    """ADM's center_crop_arr: halve by boxes while twice too large, then bicubic, then cut the centre out."""
    while min(image.size) >= 2 * resolution:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = resolution / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, upper = (image.width - resolution) // 2, (image.height - resolution) // 2
    return np.asarray(image)[upper : upper + resolution, left : left + resolution]


def _compare_gan(image: Image.Image, resolution: int) -> np.ndarray:
    """TensorFlow 1's resize_images: bilinear without antialiasing, on a grid whose origin is the corner."""
    pixels = np.asarray(image).astype(np.float32)

    def blend(values: np.ndarray, axis: int) -> np.ndarray:
        size = values.shape[axis]
        position = np.arange(resolution, dtype=np.float32) * np.float32(size / resolution)
        low = np.floor(position).astype(np.int64)
        shape = [-1 if index == axis else 1 for index in range(3)]
        share = (position - low).reshape(shape).astype(np.float32)
        upper = np.take(values, np.minimum(low + 1, size - 1), axis)
        lower = np.take(values, low, axis)
        return lower + (upper - lower) * share

    # compare_gan trains on the float values; stored as bytes they lose at most half a grey level.
    return np.rint(np.clip(blend(blend(pixels, 1), 0), 0, 255)).astype(np.uint8)


_RECIPES: dict[str, tuple[Callable[[int, int], Box], Callable[[Image.Image, int], np.ndarray]]] = {
    "biggan": (_rounded_square, _pillow(Image.Resampling.BILINEAR)),
    "adm": (_whole, _adm),
    "lanczos": (_floored_square, _pillow(Image.Resampling.LANCZOS)),
    "compare_gan": (_floored_square, _compare_gan),
}
NAMES = tuple(_RECIPES)
