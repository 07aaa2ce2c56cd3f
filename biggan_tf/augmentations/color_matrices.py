"""The transforms of ADA that change colors: one affine map of RGB for each image (arXiv:2006.06676, appendix B)."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.augmentations.gated_draws import GatedDraws
from biggan_tf.types import Images, Tensor

# The paper's strengths.
BRIGHTNESS_DEVIATION = 0.2
CONTRAST_DEVIATION = 0.5  # of the logarithm to the base 2
SATURATION_DEVIATION = 1.0  # of the logarithm to the base 2

LinearMaps: TypeAlias = Float[Tensor, "N 3 3"]

# The axis of grey, L = (1, 1, 1) / sqrt 3, as the projection L L^T on it and as the matrix of the product L x v.
_GREY = np.full((3, 3), 1.0 / 3.0)
_CROSS = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3.0)


def change_colors(images: Images, draws: GatedDraws) -> Images:
    """Changes brightness and contrast, mirrors the luma, turns the hue, and changes the saturation.

    The values are not clipped.

    Args:
        images: The images, float32 or float64.
        draws: Draws the parameters.
    """
    # c -> M c + offset; what follows multiplies both from the left.
    offset = draws.gated(BRIGHTNESS_DEVIATION * draws.normal(), 0.0)[:, None]
    contrast = draws.gated(draws.factors(CONTRAST_DEVIATION), 1.0)[:, None, None]
    grey, rest, cross = (ops.convert_to_tensor(m, images.dtype) for m in (_GREY, np.eye(3) - _GREY, _CROSS))
    mirrored = draws.gated(ops.floor(2.0 * draws.uniform()), 0.0)[:, None, None]
    # I - 2 L L^T, which keeps the hue and the saturation
    luma = rest + grey * (1.0 - 2.0 * mirrored)
    angle = draws.gated((2.0 * draws.uniform() - 1.0) * math.pi, 0.0)[:, None, None]
    # Rodrigues: L L^T + cos (I - L L^T) + sin [L]x
    hue = grey + ops.cos(angle) * rest + ops.sin(angle) * cross
    factor = draws.gated(draws.factors(SATURATION_DEVIATION), 1.0)[:, None, None]
    saturation = grey + rest * factor
    matrix: LinearMaps = ops.matmul(saturation, ops.matmul(hue, luma)) * contrast
    changed = ops.einsum("nij,nhwj->nhwi", matrix, images)
    return (
        changed + ops.einsum("nij,nj->ni", matrix, ops.broadcast_to(offset, (ops.shape(offset)[0], 3)))[:, None, None]
    )
