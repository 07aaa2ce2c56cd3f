"""Differentiable augmentation (Zhao et al. 2020, arXiv:2006.10738): real images and fakes are changed alike.

The discriminator then cannot learn few real images by heart, and the generator learns through the change, because
every one of them has a gradient (section 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.augmentation import RowRandom
from biggan_tf.types import Count, DType, Images, Scalar, Scalars, Tensor

# The paper's ranges (appendix C): shares of the image's height.
SHIFT = 0.125
HOLE = 0.5


class DifferentiableAugmentation:
    """Changes color, place and completeness of images.

    Args:
        transformations: Names of `TRANSFORMATIONS`, which are applied in the order in which they are given.
    """

    def __init__(self, transformations: Sequence[str]):
        self._functions = [TRANSFORMATIONS[name] for name in transformations]

    def __call__(self, images: Images, random: RowRandom) -> Images:
        for function in self._functions:
            images = function(images, random)
        return images

    def observe(self, real_sign: Scalar, rows: int) -> None:
        """Nothing depends on D's answers."""

    def end_step(self, steps_done: Count, images_seen: Count, images_per_step: int) -> Scalars:
        """Nothing changes from step to step."""
        return {}

    def state(self) -> Mapping[str, keras.Variable]:
        return {}


def color(images: Images, random: RowRandom) -> Images:
    """Brightness +-0.5, saturation times 0 to 2, contrast times 0.5 to 1.5."""
    brightness, saturation, contrast = (_per_row(random, images) for _ in range(3))
    images = images + (brightness - 0.5)
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * (2.0 * saturation)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (contrast + 0.5)


def translation(images: Images, random: RowRandom) -> Images:
    """Shifts by up to an eighth of the height and of the width; 0 moves in from outside."""
    size = images.shape[1]
    most = int(size * SHIFT + 0.5)
    rows, columns = (_whole(random.uniform(), 2 * most + 1) - most for _ in range(2))
    # A shift is a product with a matrix of zeros and ones: places of the result, of the image.
    down, right = (_shift_matrix(shift, size, images.dtype) for shift in (rows, columns))
    return ops.einsum("nij,njkc,nlk->nilc", down, images, right)


def cutout(images: Images, random: RowRandom) -> Images:
    """A square of half the height, around any place of the image, becomes 0."""
    size = images.shape[1]
    hole = int(size * HOLE + 0.5)
    centres = [_whole(random.uniform(), size + 1 - hole % 2) for _ in range(2)]
    places = ops.arange(size)[None]
    inside = [(places >= c[:, None] - hole // 2) & (places < c[:, None] - hole // 2 + hole) for c in centres]
    square = inside[0][:, :, None, None] & inside[1][:, None, :, None]
    return ops.where(square, ops.zeros_like(images), images)


TRANSFORMATIONS = {"color": color, "translation": translation, "cutout": cutout}


def _per_row(random: RowRandom, images: Images) -> Float[Tensor, "N 1 1 1"]:
    return ops.cast(random.uniform(1, 1, 1), images.dtype)


def _whole(uniform: Float[Tensor, " N"], count: int) -> Tensor:
    """Whole numbers 0 to `count` - 1, equally likely."""
    return ops.cast(ops.minimum(ops.floor(uniform * count), count - 1), "int32")


def _shift_matrix(shift: Tensor, size: int, dtype: DType) -> Float[Tensor, "N size size"]:
    """Row i has its 1 at column i - shift."""
    places = ops.arange(size)
    return ops.cast(places[None, None, :] == places[None, :, None] - shift[:, None, None], dtype)
