"""Fading a new resolution in (Karras et al. 2018, arXiv:1710.10196, figure 2 and section 2)."""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.ops.resampling import average_pool, upsample
from biggan_tf.types import Activations, Images, Scalar, Tensor


def fade(new: Activations, old: Activations, share: Scalar) -> Activations:
    """Computes new + (old - new) clip(share, 0, 1).

    The sum is written as (1 - s) new + s old, which is one of the two to the bit where s is 0 or 1.

    Args:
        new: What the new resolution gives.
        old: What the network gave before it had that resolution.
        share: The share of `old`; it is 0 below 0, and 1 above 1.
    """
    share = ops.clip(share, 0.0, 1.0)
    return ops.cast(1.0 - share, new.dtype) * new + ops.cast(share, new.dtype) * old


def faded_images(images: Images, lod: Float[Tensor, ""]) -> Images:
    """Real images as they look while a resolution is faded in: x + (up(avg2(x)) - x) frac(lod).

    Args:
        images: The images at the resolution that is being faded in.
        lod: The level of detail, whose fraction is the share of the halved and doubled images.
    """
    lod = ops.cast(lod, images.dtype)
    return fade(images, upsample(average_pool(images)), lod - ops.floor(lod))
