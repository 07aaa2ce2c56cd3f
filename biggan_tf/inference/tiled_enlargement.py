"""Enlarges a picture of any size in tiles, so that the memory is that of one tile and of one band of the result.

The picture is continued by its mirror image, and each tile is computed with a margin as wide as a pixel can see
(`EnlargingGenerator.context`), which is cut off again. So a pixel of the result sees the same pixels in any tile, and
the noise of its place: the tiles equal the picture that is computed at once, but for the rounding of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Int64, UInt8

from biggan_tf.contracts.enlarging_generator import EnlargingGenerator
from biggan_tf.latents import noise_keys
from biggan_tf.ops.pixels import to_bytes

EnlargeTile: TypeAlias = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
# Height and width of a tile with its margins, in pixels of the small picture.
TILE = 128
# A tile has at least so many pixels between its margins.
_LEAST_CORE = 32


class TileByTile:
    """Enlarges pictures with a function that enlarges one tile.

    Args:
        enlarge_tile: A function of a tile's grey levels, the seed and the tile's place to the enlarged tile without its
            margins.
        tile: Height and width of a tile with its margins.
        margin: How many pixels of a tile are cut off on each side.
        factor: How many times as large a picture becomes.

    Attributes:
        core: How many pixels of a tile lie between its margins, and so the height of a band in the small picture.
    """

    def __init__(self, enlarge_tile: EnlargeTile, tile: int, margin: int, factor: int):
        self.enlarge_tile, self.tile, self.margin, self.factor = enlarge_tile, tile, margin, factor
        self.core = tile - 2 * margin

    def bands(self, picture: UInt8[np.ndarray, "h w 3"], seed: int = 0) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        """Yields the enlarged picture from its top to its bottom, some rows at a time.

        Args:
            picture: The small picture.
            seed: Decides the noise, in families that have any.
        """
        height, width = picture.shape[:2]
        core = self.core
        rows, columns = (self._mirrored(size) for size in (height, width))
        for top in range(0, height, core):
            used = picture[rows[top : top + self.tile]]
            large = self.factor * core
            band = np.empty((large, self.factor * (width + -width % core), 3), np.uint8)
            for left in range(0, width, core):
                tile = self.enlarge_tile(
                    tf.constant(used[:, columns[left : left + self.tile]]),
                    tf.constant(seed, tf.int64),
                    tf.constant([top, left]),
                )
                band[:, self.factor * left : self.factor * left + large] = tile.numpy()
            yield band[: self.factor * min(core, height - top), : self.factor * width]

    def __call__(self, picture: UInt8[np.ndarray, "h w 3"], seed: int = 0) -> UInt8[np.ndarray, "H W 3"]:
        """The whole enlarged picture.

        Args:
            picture: The small picture.
            seed: Decides the noise, in families that have any.
        """
        return np.concatenate(list(self.bands(picture, seed)))

    def _mirrored(self, size: int) -> Int64[np.ndarray, " positions"]:
        """Which pixel stands at each position of an axis that is continued on both sides and filled up with tiles."""
        behind = self.margin + -size % self.core
        return np.pad(np.arange(size), (self.margin, behind), mode="symmetric")


class TiledEnlarger(TileByTile):
    """Enlarges pictures with a generator.

    Args:
        generator: The generator, with the weights to use.
        tile: Height and width of a tile with its margins; more where the margins would leave too little of it.
    """

    def __init__(self, generator: EnlargingGenerator, tile: int = TILE):
        factor, margin = generator.config.enlargement, generator.context
        tile = max(tile, 2 * margin + _LEAST_CORE)

        def enlarge(levels: tf.Tensor, seed: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
            small = tf.cast(levels, generator.variable_dtype) / 127.5 - 1.0
            images = generator.enlarge(small[None], noise_keys(seed[None]), offset)
            cut = factor * margin
            return to_bytes(images[0, cut:-cut, cut:-cut])

        signature = [
            tf.TensorSpec((tile, tile, 3), tf.uint8),
            tf.TensorSpec((), tf.int64),
            tf.TensorSpec((2,), tf.int32),
        ]
        super().__init__(tf.function(enlarge, input_signature=signature, autograph=False), tile, margin, factor)
