"""The transforms of ADA that move pixels: blits, and general geometric ones (arXiv:2006.06676, appendix B).

Each function multiplies matrices by the inverse of its transforms. The product maps a place of the result, measured
from the image's centre, to the place of the image that is shown there, so all transforms take one resampling.
"""

from __future__ import annotations

import math

from keras import ops

from biggan_tf.augmentations.gated_draws import GatedDraws
from biggan_tf.augmentations.planar_matrices import Matrices, rotation, scaling, translation

# The paper's strengths; shifts are shares of the image's height and width.
LARGEST_BLIT_SHIFT = 0.125
SCALE_DEVIATION = 0.2  # of the logarithm to the base 2
SHIFT_DEVIATION = 0.125


def blit(inverse: Matrices, draws: GatedDraws, height: int, width: int) -> Matrices:
    """Mirrors, turns by right angles, and shifts by whole pixels.

    Args:
        inverse: The inverse of the transforms before these.
        draws: Draws the parameters.
        height: The height of the images, in pixels.
        width: The width of the images, in pixels.
    """
    mirrored = draws.gated(ops.floor(2.0 * draws.uniform()), 0.0)
    inverse = ops.matmul(inverse, scaling(1.0 - 2.0 * mirrored, ops.ones_like(mirrored)))
    quarters = draws.gated(ops.floor(4.0 * draws.uniform()), 0.0)
    inverse = ops.matmul(inverse, rotation(math.pi / 2.0 * quarters))
    shares = draws.gated((2.0 * draws.uniform(2) - 1.0) * LARGEST_BLIT_SHIFT, 0.0)
    return ops.matmul(inverse, translation(-ops.round(shares[:, 0] * width), -ops.round(shares[:, 1] * height)))


def geometric(inverse: Matrices, draws: GatedDraws, height: int, width: int) -> Matrices:
    """Scales, rotates, stretches along one axis, rotates again, and shifts by fractions of pixels.

    The arguments are those of `blit`.
    """
    factor = draws.gated(draws.factors(SCALE_DEVIATION), 1.0)
    inverse = ops.matmul(inverse, scaling(1.0 / factor, 1.0 / factor))
    inverse = ops.matmul(inverse, _random_rotation(draws))
    # Rotations before and after make the axis of the stretching a random one.
    factor = draws.gated(draws.factors(SCALE_DEVIATION), 1.0)
    inverse = ops.matmul(inverse, scaling(1.0 / factor, factor))
    inverse = ops.matmul(inverse, _random_rotation(draws))
    shares = draws.gated(SHIFT_DEVIATION * draws.normal(2), 0.0)
    return ops.matmul(inverse, translation(-shares[:, 0] * width, -shares[:, 1] * height))


def _random_rotation(draws: GatedDraws) -> Matrices:
    """One of the two rotations. Each comes with 1 - sqrt(1 - p), so that one of them or both come with p."""
    probability = 1.0 - ops.sqrt(ops.clip(1.0 - draws.probability, 0.0, 1.0))
    return rotation(draws.gated((2.0 * draws.uniform() - 1.0) * math.pi, 0.0, probability))
