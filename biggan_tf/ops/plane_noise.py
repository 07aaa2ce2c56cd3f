"""Noise on a plane without end: the value at a place depends on the key and the place, not on the window that is asked.

A large image can then be computed in tiles that have the noise of the image. The plane is divided into squares of 32
pixels, each of which is drawn from a key of its own; a window draws the squares that it meets and cuts itself out.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from keras import ops

from biggan_tf.ops.row_noise import row_normal
from biggan_tf.types import RowKeys, Tensor

SQUARE = 32  # pixels
# Keys of squares differ from one another for 2^13 squares along either axis and 2^5 planes. They fit into 32 bits,
# which is all that JAX draws by.
_COLUMN_BITS, _PLACE_BITS = 13, 26


def plane_normal(
    keys: RowKeys, plane: int, height: int, width: int, channels: int = 1, offset: Int[Tensor, " 2"] | None = None
) -> Float[Tensor, "N H W C"]:
    """Numbers of N(0, 1) in a window of a plane, float32.

    Args:
        keys: The key of each row.
        plane: Which plane, from 0 to 31; they are independent of one another.
        height: The height of the window.
        width: The width of the window.
        channels: How many numbers a pixel has.
        offset: The row and the column of the window's first pixel, at least 0; None, the default: the origin.
    """
    counts = [-(-size // SQUARE) if offset is None else (size + SQUARE - 2) // SQUARE + 1 for size in (height, width)]
    place = ops.zeros((2,), "int32") if offset is None else ops.cast(offset, "int32")
    first = place // SQUARE
    rows, columns = (ops.cast(first[axis] + ops.arange(counts[axis], dtype="int32"), "int64") for axis in (0, 1))
    squares = plane * 2**_PLACE_BITS + rows[:, None] * 2**_COLUMN_BITS + columns[None, :]
    # The second integer of a key is the one that tells the uses of a row's key apart, see `latents.noise_keys`.
    keys = ops.cast(keys, "int64")
    second = ops.reshape(keys[:, 1], (-1, 1, 1)) + squares[None]
    both = ops.stack([ops.zeros_like(second) + ops.reshape(keys[:, 0], (-1, 1, 1)), second], axis=-1)
    values = row_normal(ops.reshape(both, (-1, 2)), SQUARE**2 * channels)
    values = ops.reshape(values, (-1, *counts, SQUARE, SQUARE, channels))
    values = ops.reshape(
        ops.transpose(values, (0, 1, 3, 2, 4, 5)), (-1, counts[0] * SQUARE, counts[1] * SQUARE, channels)
    )
    if offset is None:
        return values[:, :height, :width]
    start = place - first * SQUARE
    values = ops.take(values, start[0] + ops.arange(height, dtype="int32"), axis=1)
    return ops.take(values, start[1] + ops.arange(width, dtype="int32"), axis=2)
