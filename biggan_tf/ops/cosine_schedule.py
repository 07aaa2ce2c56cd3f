"""Numbers that move along half a cosine while images are seen, as R3GAN's schedules do (arXiv:2501.05441)."""

from __future__ import annotations

import math

from keras import ops

from biggan_tf.types import Count, DType, Scalar


def cosine_schedule(
    base: float, final: float, images_seen: Count | int, schedule_images: int, dtype: DType = "float32"
) -> Scalar:
    """Computes base + (1 - cos(pi n / T)) / 2 (final - base), and `final` from n = T on.

    Args:
        base: The value at the start.
        final: The value at the end.
        images_seen: n, how many real images the discriminator has seen.
        schedule_images: T, after how many images the schedule ends.
        dtype: The dtype of the result.
    """
    share = ops.minimum(ops.cast(images_seen, dtype) / schedule_images, 1.0)
    # (1 - cos x) / 2 = sin^2(x / 2), which keeps its digits where the cosine is near 1.
    return base + ops.square(ops.sin(0.5 * math.pi * share)) * (final - base)
