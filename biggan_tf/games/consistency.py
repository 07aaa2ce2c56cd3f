"""Consistency regularisation: D's answers are to stay as they are under changes that do not matter.

CR compares a real image with a changed copy of it (Zhang et al. 2020, arXiv:1910.12027), bCR does so with fakes too,
and zCR compares fakes of neighbouring latents, which G in turn is to draw apart (Zhao et al. 2020, arXiv:2002.04724).
"""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.game import Batch, Round
from biggan_tf.ops.precision import widen
from biggan_tf.types import Images, Logits, Scalar, Tensor


def consistency(logits: Logits, changed: Logits) -> Scalar:
    """Computes E[(D(x) - D(T(x)))^2] (arXiv:1910.12027, equation 3)."""
    return ops.mean(ops.square(widen(logits) - widen(changed)))


def latent_spread(images: Images, near: Images) -> Scalar:
    """Computes E[(G(z) - G(z + noise))^2] over all values of the images (arXiv:2002.04724, equation 6)."""
    return ops.mean(ops.square(widen(images) - widen(near)))


def changed(round_: Round, batch: Batch) -> Batch:
    """A copy of a batch: each image is mirrored with probability 1/2 and then moved by up to an eighth of its size."""
    flip, *shifts = ops.unstack(round_.random_uniform((3,)), axis=1)
    return Batch(mirrored_and_shifted(batch.images, flip < 0.5, *shifts), batch.labels)


def mirrored_and_shifted(
    images: Images, mirror: Tensor, down: Float[Tensor, " N"], right: Float[Tensor, " N"]
) -> Images:
    """Mirrors images from left to right and moves them; what comes in at an edge is the image's reflection there.

    Args:
        images: The images.
        mirror: Which are mirrored.
        down: Numbers in [0, 1) that decide by how many pixels an image is moved: all from -R/8 to R/8 are as probable.
        right: Numbers in [0, 1) that decide in the same way by how many pixels an image is moved to the right.
    """
    images = ops.where(mirror[:, None, None, None], ops.flip(images, axis=2), images)
    _, height, width, _ = images.shape
    images = _shifted(images, _pixels(down, height), 1)
    return _shifted(images, _pixels(right, width), 2)


def _pixels(uniform: Float[Tensor, " N"], size: int) -> Tensor:
    """Whole numbers from -size / 8 to size / 8."""
    most = size // 8
    return ops.cast(ops.floor(uniform * (2 * most + 1)), "int32") - most


def _shifted(images: Images, pixels: Tensor, axis: int) -> Images:
    """out[i] = in[|i - pixels|], where the positions behind the last one are reflected too."""
    size = images.shape[axis]
    places = ops.abs(ops.arange(size, dtype="int32")[None] - pixels[:, None])
    places = (size - 1) - ops.abs((size - 1) - places)
    # A product with rows of a unit matrix, whose gradient every backend has.
    chosen = ops.one_hot(places, size, dtype=images.dtype)
    return ops.einsum("nij,njwc->niwc" if axis == 1 else "nij,nhjc->nhic", chosen, images)
