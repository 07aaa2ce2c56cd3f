"""Images as bytes: the one place that turns a network's output into grey levels."""

from __future__ import annotations

from jaxtyping import Float, UInt8
from keras import ops

from biggan_tf.types import Tensor


def to_bytes(images: Float[Tensor, "*N H W 3"]) -> UInt8[Tensor, "*N H W 3"]:
    """Rounds images in [-1, 1] to the nearest of the 256 grey levels; what lies outside becomes 0 or 255."""
    return ops.cast(ops.clip(ops.round((images + 1.0) * 127.5), 0.0, 255.0), "uint8")
