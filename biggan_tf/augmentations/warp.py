"""Resamples images after an affine map with little aliasing (arXiv:2006.06676, appendix B.1).

The images are continued by reflection, enlarged twofold with the sym6 wavelet's filter, sampled bilinearly, and reduced
with the same filter turned round. Without a map this returns the image, because the two filters undo each other.

The authors' code pads by as many pixels as the batch's maps need. That number is data, and shapes must not depend on
data under XLA. So the image is always continued by all but one of its pixels, the most that the number can be, and what
lies beyond the number is set to 0, before and after the enlargement. The continuation, these zeros and the filter are
one matrix A for each axis, and the enlarged image is A x B^T: dense products took an eighth of the time of depthwise
convolutions at 32 pixels, and as long at 256.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.augmentations.planar_matrices import Matrices
from biggan_tf.ops import fir
from biggan_tf.ops.bilinear import sample_bilinear
from biggan_tf.ops.replicas import rows_of_all_replicas
from biggan_tf.types import DType, Images, Tensor

# The low-pass filter of the symlet with six vanishing moments (Daubechies 1992, section 8.1), divided by its sum.
_SYM6 = np.array(
    [
        0.015404109327027373,
        0.0034907120842174702,
        -0.11799011114819057,
        -0.048311742585633,
        0.4910559419267466,
        0.787641141030194,
        0.3379294217276218,
        -0.07263752278646252,
        -0.021060292512300564,
        0.04472490177066578,
        0.0017677118642428036,
        -0.007800708325034148,
    ]
)
SYM6 = _SYM6 / _SYM6.sum()
_RING = len(SYM6) // 4  # pixels around the result that the last filter needs


def warp(images: Images, inverse: Matrices) -> Images:
    """Images after an affine map of each.

    How far an image is continued before zeros begin is decided by the largest need in the batch, over all replicas.

    Args:
        images: The images, float32 or float64; height and width must be known while the function is traced.
        inverse: Maps a place of the result, from the centre, to that of the image.
    """
    height, width = images.shape[1:3]
    left, above, right, below = ops.unstack(_margins(inverse, height, width), 4)
    rows = _enlargement(height, above, below, images.dtype)
    columns = _enlargement(width, left, right, images.dtype)
    enlarged = _product(rows, images, columns)
    y, x = _places(inverse, height, width)
    size = (2 * (height + 2 * _RING), 2 * (width + 2 * _RING))
    sampled = ops.reshape(sample_bilinear(enlarged, y, x), (-1, *size, images.shape[3]))
    return _product(_reduction(size[0], images.dtype), sampled, _reduction(size[1], images.dtype))


def _margins(inverse: Matrices, height: int, width: int) -> Float[Tensor, " 4"]:
    """By how many pixels the batch is continued to the left, above, to the right and below."""
    cx, cy = (width - 1) / 2.0, (height - 1) / 2.0
    corners = np.array([[-cx, cx, cx, -cx], [-cy, -cy, cy, cy], [1.0, 1.0, 1.0, 1.0]])
    moved = ops.matmul(inverse, ops.convert_to_tensor(corners, inverse.dtype))[:, :2]  # [N, (x, y), corner]
    reached = ops.concatenate([ops.max(-moved, axis=2), ops.max(moved, axis=2)], axis=1)
    # Of every row of all replicas, or the result would depend on how many replicas share the batch.
    farthest = ops.max(rows_of_all_replicas(ops.stop_gradient(reached)), axis=0)
    margins = farthest + ops.convert_to_tensor([2.0 * _RING - cx, 2.0 * _RING - cy] * 2, inverse.dtype)
    most = ops.convert_to_tensor([width - 1.0, height - 1.0] * 2, inverse.dtype)
    return ops.ceil(ops.clip(margins, 0.0, most))


def _enlargement(size: int, before: Tensor, after: Tensor, dtype: DType) -> Float[Tensor, "pixels size"]:
    """The matrix of one axis that continues an image by reflection, blanks what lies too far, and enlarges twofold."""
    places = ops.arange(1 - size, 2 * size - 1)
    mirrored = ops.abs(places)
    mirrored = ops.minimum(mirrored, 2 * (size - 1) - mirrored)
    continued = ops.cast(mirrored[:, None] == ops.arange(size)[None, :], dtype)
    places = ops.cast(places, dtype)
    kept = ops.cast((places >= -before) & (places <= size - 1.0 + after), dtype)
    image = (continued * kept[:, None])[None, :, :, None]
    n = len(SYM6)
    padding = (((n + 1) // 2, (n - 2) // 2), (0, 0))
    enlarged = fir.upfirdn(image, SYM6[:, None], up=(2, 1), padding=padding, gain=2.0)[0, :, :, 0]
    return enlarged * ops.repeat(kept, 2)[:, None]


def _reduction(size: int, dtype: DType) -> Float[Tensor, "pixels size"]:
    """The matrix of one axis that filters an enlarged image, drops the ring, and keeps every second pixel."""
    # y_i = sum_t f_t x_(2 i + 1 + t)
    taps = np.zeros((size // 2 - 2 * _RING, size))
    for i in range(len(taps)):
        taps[i, 2 * i + 1 : 2 * i + 1 + len(SYM6)] = SYM6
    return ops.convert_to_tensor(taps, dtype)


def _product(
    rows: Float[Tensor, "H2 H"], images: Float[Tensor, "N H W C"], columns: Float[Tensor, "W2 W"]
) -> Float[Tensor, "N H2 W2 C"]:
    """The product rows x columns^T, for each channel x of the images."""
    channels = ops.transpose(images, (0, 3, 1, 2))
    product = ops.matmul(ops.matmul(rows, channels), ops.transpose(columns))
    return ops.transpose(product, (0, 2, 3, 1))


def _places(inverse: Matrices, height: int, width: int) -> tuple[Float[Tensor, "N P"], Float[Tensor, "N P"]]:
    """The rows and columns of the enlarged image at which the enlarged result is sampled, line by line."""
    # The middles of the continued and enlarged image, (2 (3 size - 2) - 1) / 2.
    middle_y, middle_x = (3.0 * size - 2.5 for size in (height, width))
    height, width = (2 * (size + 2 * _RING) for size in (height, width))
    # Pixel j lies at 2 j of an enlarged image, half a pixel before the middle of its two pixels.
    y = (np.arange(height) - (height - 1) / 2.0 + 0.5) / 2.0
    x = (np.arange(width) - (width - 1) / 2.0 + 0.5) / 2.0
    grid = np.stack([np.tile(x, height), np.repeat(y, width), np.ones(height * width)])
    shown = ops.matmul(inverse, ops.convert_to_tensor(grid, inverse.dtype))
    return 2.0 * shown[:, 1] - 0.5 + middle_y, 2.0 * shown[:, 0] - 0.5 + middle_x
