"""The interface of generators that are given a small image and compute a large one of it."""

from __future__ import annotations

from jaxtyping import Float, Int

from biggan_tf.contracts.generator import Generator
from biggan_tf.types import Images, RowKeys, SmallImages, Tensor


class EnlargingGenerator(Generator):
    """A generator that is given a small image in the place of a class.

    It is called with (z, small images), and its discriminator with (images, small images): in a `Batch` the small
    images stand where other families have labels. The training reduces the real images to small ones by `reduce`.

    A family implements `reduce`, `enlarge` and `context`.
    """

    @property
    def context(self) -> int:
        """How far from a pixel, at most, in pixels of the small image, another one lies that has an effect on it."""
        raise NotImplementedError(f"{type(self).__name__} must define context.")

    def reduce(self, images: Images) -> SmallImages:
        """The small images of large ones, with the grey levels that a file would hold.

        Args:
            images: The large images.
        """
        raise NotImplementedError(f"{type(self).__name__} must define reduce.")

    def enlarge(
        self, small: SmallImages, keys: RowKeys | None = None, offset: Int[Tensor, " 2"] | None = None
    ) -> Float[Tensor, "N H W 3"]:
        """Large images of small ones of any size.

        Args:
            small: The small images; their size must be known while the function is traced.
            keys: The key that decides the noise of each row; None: the same noise in every row.
            offset: The row and the column of the first pixel in the image that it is a tile of, so that the tile has
                the noise of that image; None: it is no tile.
        """
        raise NotImplementedError(f"{type(self).__name__} must define enlarge.")
