"""The function of an export that enlarges pictures: from image files to PNG files, in a graph.

The graph decodes PNG and JPEG, for which TensorFlow has kernels, so that `tensorflow_model_server` can serve it, too.
TensorFlow has none for WebP: our own server decodes every file with Pillow before a request joins a batch, and hands
the graph a PNG (`serving.server.picture_inputs`).
"""

from __future__ import annotations

import io
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Int, Int32, Shaped, UInt8
from PIL import Image

from biggan_tf.contracts.enlarging_generator import EnlargingGenerator
from biggan_tf.inference.tiled_enlargement import TILE, TiledEnlarger
from biggan_tf.types import Tensor
from serving import signatures as s
from serving.export.png_in_graph import encode_png

Files: TypeAlias = Shaped[Tensor, " N"]  # the contents of files, as strings of bytes
_Picture: TypeAlias = UInt8[Tensor, "h w 3"]
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


class ServedEnlarger(tf.Module):
    """The signature `upscale` for one generator, and what `biggan_tf.upscale --model` enlarges larger pictures with.

    Each picture is computed by itself, tile by tile, so it has the same bits in any batch. One that is no PNG or JPEG
    file, or has more pixels than are allowed, is answered by a black pixel and marked by `valid`. A file that is
    damaged behind its header is an error of the graph, which fails its batch; our server never lets one in.

    Args:
        generator: A copy that belongs to this object, with the weights to serve with.
        max_pixels: The most pixels of a picture.
        tile: Height and width of a tile with its margins; more where the margins would leave too little of it.

    Attributes:
        enlarge_tile: The function of the `TiledEnlarger` for one tile. Who loads the SavedModel in a process of its own
            can call it tile by tile, and so need the memory of one tile and one band of the answer for a picture of
            any size.
        tile_sizes: A function without inputs; its outputs tile, margin and factor are those of a `TileByTile`.
    """

    def __init__(self, generator: EnlargingGenerator, max_pixels: int = s.MAX_PICTURE_PIXELS, tile: int = TILE):
        super().__init__(name="served_enlarger")
        self._variables = [weight.value for weight in generator.weights]
        self._enlarger, self._max_pixels = TiledEnlarger(generator, tile), max_pixels
        tile, margin, factor = self._enlarger.tile, self._enlarger.margin, self._enlarger.factor
        self.enlarge_tile = self._enlarger.enlarge_tile
        self.tile_sizes = tf.function(
            lambda: {"tile": tf.constant(tile), "margin": tf.constant(margin), "factor": tf.constant(factor)},
            input_signature=[],
            autograph=False,
        )
        self._blank = _black_pixel()

    def functions(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The traced functions by the names of their signatures."""
        specs = {
            alias: tf.TensorSpec(spec.shape, spec.dtype, name=alias)
            for alias, spec in s.SIGNATURES[s.UPSCALE].inputs.items()
        }
        function = tf.function(self._upscale, autograph=False).get_concrete_function(**specs)
        return {s.UPSCALE: function}

    def _upscale(self, image_bytes: Files, seed: Int[Tensor, " N"]) -> dict[str, tf.Tensor]:
        specs = (tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.bool))
        pictures, valid = tf.map_fn(
            lambda row: self._one(*row), (image_bytes, seed), fn_output_signature=specs, parallel_iterations=1
        )
        return {s.IMAGE_BYTES: pictures, s.VALID: valid}

    def _one(self, data: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        height, width = tf.unstack(_size_of(data))
        pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
        valid = (height > 0) & (width > 0) & (pixels <= self._max_pixels)
        # The size stands in the header, so that nothing is allocated for a picture that is too large.
        levels = tf.io.decode_image(tf.where(valid, data, self._blank), channels=3, expand_animations=False)
        large = tf.cond(
            valid, lambda: self._enlarged(tf.ensure_shape(levels, (None, None, 3)), seed), lambda: tf.identity(levels)
        )
        return encode_png(tf.ensure_shape(large, (None, None, 3))), valid

    def _enlarged(self, levels: _Picture, seed: tf.Tensor) -> _Picture:
        core, factor = self._enlarger.core, self._enlarger.factor
        tile, margin = self._enlarger.tile, self._enlarger.margin
        height, width = tf.unstack(tf.shape(levels)[:2])
        down, across = (height + core - 1) // core, (width + core - 1) // core
        levels = tf.gather(levels, _mirrored(height, margin, down * core), axis=0)
        levels = tf.gather(levels, _mirrored(width, margin, across * core), axis=1)

        def one(number: tf.Tensor) -> tf.Tensor:
            offset = tf.stack([number // across, number % across]) * core
            part = tf.slice(levels, tf.concat([offset, [0]], 0), (tile, tile, 3))
            return self.enlarge_tile(part, seed, offset)

        size = factor * core
        spec = tf.TensorSpec((size, size, 3), tf.uint8)
        tiles = tf.map_fn(one, tf.range(down * across), fn_output_signature=spec, parallel_iterations=1)
        rows = tf.transpose(tf.reshape(tiles, [down, across, size, size, 3]), [0, 2, 1, 3, 4])
        return tf.reshape(rows, [down * size, across * size, 3])[: factor * height, : factor * width]


def _mirrored(size: tf.Tensor, margin: int, filled: tf.Tensor) -> Int32[tf.Tensor, " positions"]:
    """Which pixel stands at each position, as `TiledEnlarger` has it: an axis that is continued by its mirror image."""
    places = tf.math.floormod(tf.range(-margin, filled + margin), 2 * size)
    return tf.where(places < size, places, 2 * size - 1 - places)


def _size_of(data: tf.Tensor) -> Int32[tf.Tensor, " 2"]:
    """The height and width in the header of a PNG or JPEG file; zeros for any other."""
    # PNG: 8 bytes, then the length and the name of the first chunk, then the width and the height, 4 bytes each.
    numbers = tf.cast(tf.io.decode_raw(tf.strings.substr(data + bytes(24), 16, 8), tf.uint8), tf.int64)
    width, height = (
        tf.tensordot(part, tf.constant([2**24, 2**16, 2**8, 1], tf.int64), 1) for part in (numbers[:4], numbers[4:])
    )
    of_png = tf.cast(tf.minimum(tf.stack([height, width]), 2**31 - 1), tf.int32)
    begin = tf.strings.substr(data + bytes(8), 0, 8)
    is_png, is_jpeg = begin == _PNG, tf.strings.substr(begin, 0, 3) == _JPEG
    other = tf.cond(is_jpeg, lambda: tf.image.extract_jpeg_shape(data)[:2], lambda: tf.zeros([2], tf.int32))
    return tf.where(is_png, of_png, other)


def _black_pixel() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()
