"""Tells when a training has so few images that the discriminator will learn them by heart."""

from __future__ import annotations

from biggan_tf.config import Config

# ADA's and DiffAugment's authors gain on fewer images than about this (arXiv:2006.06676, figure 1; arXiv:2006.10738,
# table 3), once each image has been seen often.
_FEW_IMAGES = 20_000
_MANY_PASSES = 50


def advice(num_images: int, config: Config) -> str:
    """What to change, a sentence or two; "": nothing.

    Args:
        num_images: How many real images the run trains on.
        config: The configuration of the run.
    """
    passes = config.training.num_steps * config.images_per_step / max(num_images, 1)
    if config.augmentation.kind != "none" or num_images >= _FEW_IMAGES or passes < _MANY_PASSES:
        return ""
    return (
        f"There are {num_images:,} images, of which each will be seen {passes:,.0f} times: the discriminator "
        "will learn them by heart, and samples will become worse from then on. Change what it sees at random with "
        "--augment=ada or --augment=diffaugment; --init_from=PRESET begins with a trained generator."
    )
