"""The change of images under which consistency regularisation wants D's answer to stay (Zhang et al. 2020)."""

from __future__ import annotations

from jaxtyping import Int
from keras import ops

from biggan_tf.contracts.augmentation import RowRandom
from biggan_tf.types import Images, Tensor

LARGEST_SHIFT = 0.125  # a share of the image's height and width


def flip_and_shift(images: Images, random: RowRandom) -> Images:
    """Mirrors half of the images and shifts each by whole pixels; what comes in from outside is its reflection.

    These are the choices of arXiv:1910.12027, section 3.1.

    Args:
        images: The images; height and width must be known while the function is traced.
        random: The source of every random choice.
    """
    mirrored = random.uniform() < 0.5
    images = ops.where(mirrored[:, None, None, None], ops.flip(images, axis=2), images)
    rows, columns = (_shifts(random, size) for size in images.shape[1:3])
    return shift_reflected(images, rows, columns)


def shift_reflected(images: Images, rows: Int[Tensor, " N"], columns: Int[Tensor, " N"]) -> Images:
    """The pixel that lies `rows` below and `columns` to the right of each, in images that reflection continues."""
    height, width = images.shape[1:3]
    below, right = _places(rows, height), _places(columns, width)
    # A shift is a product with a matrix of zeros and ones, as in `differentiable.translation`.
    selections = (ops.cast(ops.one_hot(p, s), images.dtype) for p, s in ((below, height), (right, width)))
    return ops.einsum("nij,njkc,nlk->nilc", next(selections), images, next(selections))


def _shifts(random: RowRandom, size: int) -> Int[Tensor, " N"]:
    most = int(size * LARGEST_SHIFT)
    count = 2 * most + 1
    return ops.cast(ops.minimum(ops.floor(random.uniform() * count), count - 1), "int32") - most


def _places(shifts: Int[Tensor, " N"], size: int) -> Int[Tensor, "N size"]:
    places = ops.abs(ops.arange(size, dtype="int32")[None] + ops.cast(shifts, "int32")[:, None])
    return ops.minimum(places, 2 * (size - 1) - places)
