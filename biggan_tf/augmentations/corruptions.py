"""The transforms of ADA that hide parts of an image: noise, and a blank square (arXiv:2006.06676, appendix B)."""

from __future__ import annotations

from keras import ops

from biggan_tf.augmentations.gated_draws import GatedDraws
from biggan_tf.types import Images

NOISE_DEVIATION = 0.1  # of the noise's own deviation
HOLE = 0.5  # the side of the blank square, as a share of the image's


def add_noise(images: Images, draws: GatedDraws) -> Images:
    """Adds independent normal noise to every value, of a deviation that each image draws.

    Args:
        images: The images, float32 or float64.
        draws: Draws the noise.
    """
    deviation = draws.gated(NOISE_DEVIATION * ops.abs(draws.normal(1, 1, 1)), 0.0)
    return images + deviation * draws.normal(*images.shape[1:])


def blank_square(images: Images, draws: GatedDraws) -> Images:
    """Sets a square around a random place to 0; it is cut off at the border.

    Args:
        images: The images, float32 or float64.
        draws: Draws the place.
    """
    height, width = images.shape[1:3]
    centre = draws.uniform(2)
    side = draws.gated(ops.full_like(centre[:, 0], HOLE), 0.0)[:, None]
    x, y = ((ops.cast(ops.arange(size), images.dtype) + 0.5) / size for size in (width, height))
    is_kept = [ops.abs(line[None] - centre[:, i : i + 1]) >= side / 2.0 for i, line in enumerate((x, y))]
    kept = is_kept[0][:, None, :, None] | is_kept[1][:, :, None, None]
    return ops.where(kept, images, ops.zeros_like(images))
