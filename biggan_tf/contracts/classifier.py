"""The interface of a frozen classifier whose answers a discriminator sees next to the image."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float

from biggan_tf.types import Images, Tensor


@runtime_checkable
class Classifier(Protocol):
    """A function of images that is never trained.

    Attributes:
        num_values: How many values its answer to an image has.
        fingerprint: The SHA-256 of its weights.
    """

    num_values: int
    fingerprint: str

    def __call__(self, images: Images) -> Float[Tensor, "N V"]:
        """Its answers to images in [-1, 1] of any size, in float32.

        A gradient reaches the images, of any order; none reaches the weights, which are constants.
        """
        ...

    def multiply_adds(self, resolution: int) -> int:
        """How many multiplications with an addition an answer takes, without the resizing of the image.

        Args:
            resolution: The height and width of the image.
        """
        ...
