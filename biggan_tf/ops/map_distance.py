"""The distance between two images in the feature maps of a frozen network (arXiv:1801.03924, equation 1)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from keras import ops

from biggan_tf.types import Activations, Tensor


def map_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> Float[Tensor, " N"]:
    """How far apart the feature maps of two batches of images are, row by row.

    With the activations phi_l at each position divided by their length,

        d = sum_l mean_hw |phi_l(x) - phi_l(y)|^2.

    The published distance has a weight for each channel, which was fitted to what people see; here all are 1.

    Args:
        first: The maps of one batch, [N, h, w, C] for each level.
        second: The maps of the other batch, of the same shapes.
    """
    distances = [
        ops.mean(ops.sum(ops.square(_unit(one) - _unit(other)), axis=3), axis=(1, 2))
        for one, other in zip(first, second, strict=True)
    ]
    total: Float[Tensor, " N"] = sum(distances[1:], start=distances[0])
    return total


def _unit(x: Activations) -> Activations:
    """Each position's activations divided by their length; the epsilon keeps the gradient of zeros finite."""
    return x * ops.rsqrt(ops.sum(ops.square(x), axis=3, keepdims=True) + 1e-6)
