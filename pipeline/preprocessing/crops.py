"""The ways to crop and resize an image to a square, by name.

FIDs of the same weights differ by several points between them, so an FID says nothing unless its crop is named. The id
of the crop therefore goes into the manifest, and from there into the protocol of every metric.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from pipeline.errors import UsageError
from pipeline.preprocessing.decoding import Box, SourceImage

VERSION = 1  # of all crops together: raise it when one of them gives other pixels


def make_resizer(crop: str) -> Callable[[SourceImage, Sequence[int]], dict[int, np.ndarray]]:
    """The function that turns one source image into all resolutions.

    Args:
        crop: Name of the crop: "biggan", "adm", "lanczos" or "compare_gan".

    Returns:
        A function of the image and the resolutions that gives uint8 `[resolution, resolution, 3]` for each; the
        image is decoded once.

    Raises:
        PipelineError: If there is no crop of that name.
    """
    if crop not in _CROPS:
        raise UsageError(f"--recipe must be one of {', '.join(sorted(_CROPS))}. Received: {crop!r}.")
    box, resize = _CROPS[crop]

    def run(image: SourceImage, resolutions: Sequence[int]) -> dict[int, np.ndarray]:
        pixels = Image.fromarray(image.pixels(box(image.width, image.height)))
        return {resolution: resize(pixels, resolution) for resolution in resolutions}

    return run


def crop_id(crop: str) -> str:
    """The id that the manifest keeps: the crop with its version, e.g. "biggan-1"."""
    return f"{crop}-{VERSION}"


def pixels_hash(crop: str) -> str:
    """Hash of a fixed picture, resized: it changes when another version of Pillow, or our code, gives other pixels."""
    _, resize = _CROPS[crop]
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


_CROPS: dict[str, tuple[Callable[[int, int], Box], Callable[[Image.Image, int], np.ndarray]]] = {
    "biggan": (_rounded_square, _pillow(Image.Resampling.BILINEAR)),
    "adm": (_whole, _adm),
    "lanczos": (_floored_square, _pillow(Image.Resampling.LANCZOS)),
    "compare_gan": (_floored_square, _compare_gan),
}
NAMES = tuple(_CROPS)
