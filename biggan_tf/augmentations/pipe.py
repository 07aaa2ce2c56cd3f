"""ADA's pipe of transforms, which D's images pass (Karras et al. 2020, arXiv:2006.06676, figure 2 and appendix B)."""

from __future__ import annotations

from collections.abc import Mapping

from keras import ops

from biggan_tf.augmentations import color_matrices, corruptions, image_filters, placements, planar_matrices
from biggan_tf.augmentations.gated_draws import GatedDraws
from biggan_tf.augmentations.warp import warp
from biggan_tf.contracts.augmentation import RowRandom
from biggan_tf.ops.precision import widen
from biggan_tf.types import Images, Scalar

# In the order in which they are applied. The first two have one resampling together.
PLACEMENTS = {"blit": placements.blit, "geometric": placements.geometric}
CHANGES = {
    "color": color_matrices.change_colors,
    "filter": image_filters.filter_images,
    "noise": corruptions.add_noise,
    "cutout": corruptions.blank_square,
}


class AugmentationPipe:
    """Applies groups of transforms, each transform to each image with a probability and with parameters of its own.

    Args:
        shares: The groups by name, of `PLACEMENTS` and `CHANGES`, each with the share of the pipe's probability that
            its transforms are applied with; 1.0 in the paper. They are applied in the order of these two tables.
    """

    def __init__(self, shares: Mapping[str, float]):
        self._shares = dict(shares)

    def __call__(self, images: Images, random: RowRandom, probability: float | Scalar) -> Images:
        """Changes images, differentiably, in float32 or float64; the result has the dtype of the images.

        Args:
            images: The images.
            random: The source of every random choice.
            probability: With which a transform is applied to an image.
        """
        wide = widen(images)
        probability = ops.convert_to_tensor(probability, "float32")
        draws = {name: GatedDraws(random, share * probability, wide.dtype) for name, share in self._shares.items()}
        height, width = wide.shape[1:3]
        moved = [name for name in PLACEMENTS if name in draws]
        if moved:
            inverse = planar_matrices.identity(wide[:, 0, 0, 0])
            for name in moved:
                inverse = PLACEMENTS[name](inverse, draws[name], height, width)
            wide = warp(wide, inverse)
        for name, change in CHANGES.items():
            if name in draws:
                wide = change(wide, draws[name])
        return ops.cast(wide, images.dtype)
