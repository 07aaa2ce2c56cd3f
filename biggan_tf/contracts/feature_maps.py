"""The interface of a frozen network whose activations at several sizes images are compared by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from biggan_tf.types import Images, Tensor


@runtime_checkable
class FeatureMaps(Protocol):
    """A function of images that is never trained.

    Attributes:
        fingerprint: The SHA-256 of its weights.
    """

    fingerprint: str

    def __call__(self, images: Images) -> Sequence[Tensor]:
        """Its activations for images in [-1, 1] of any size, in float32, a tensor [N, h, w, C] for each level.

        A gradient reaches the images; none reaches the weights, which are constants.
        """
        ...
