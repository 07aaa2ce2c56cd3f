"""What the flags `--init_from` and `--augment` of the training stand for in a configuration."""

from __future__ import annotations

from biggan_tf.config import parts
from biggan_tf.config.run import Config

# The kind in `PARTS` of each augmentation that the flag --augment can name.
AUGMENTATIONS = {"ada": "adaptive", "diffaugment": "differentiable", "none": "none"}
# The authors let ADA adjust five times as fast in a training that begins with trained networks (arXiv:2006.06676,
# appendix B).
_ADJUSTMENT_IMAGES = 100_000


def apply(config: Config, init_from: str | None, augment: str | None) -> None:
    """Sets what the flags stand for, which the run then records.

    Args:
        config: The recipe's, which is changed.
        init_from: The weights to begin with; None: as the recipe says.
        augment: One of `AUGMENTATIONS`; None: as the recipe says. The numbers of a recipe that has this augmentation
            already stay.
    """
    if init_from is not None:
        config.initial.weights = init_from
    if augment is not None and config.augmentation.kind != AUGMENTATIONS[augment]:
        numbers = {"adjustment_images": _ADJUSTMENT_IMAGES} if augment == "ada" and config.initial.weights else {}
        config.augmentation = parts.load("augmentation", AUGMENTATIONS[augment])(**numbers)
