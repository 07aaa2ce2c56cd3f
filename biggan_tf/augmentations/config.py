"""The numbers of each augmentation."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import AugmentationConfig

if TYPE_CHECKING:
    from biggan_tf.augmentations.adaptive import AdaptiveAugmentation
    from biggan_tf.augmentations.differentiable import DifferentiableAugmentation
    from biggan_tf.augmentations.scheduled import ScheduledAugmentation

TRANSFORMATIONS = ("color", "translation", "cutout")
# The groups of transforms that ADA may have, under the names of the authors' code (`--augpipe`), and R3GAN's, bgcc.
TRANSFORM_GROUPS = {
    "blit": ("blit",),
    "geom": ("geometric",),
    "color": ("color",),
    "filter": ("filter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
    "bg": ("blit", "geometric"),
    "bgc": ("blit", "geometric", "color"),
    "bgcc": ("blit", "geometric", "color", "cutout"),
    "bgcf": ("blit", "geometric", "color", "filter"),
    "bgcfn": ("blit", "geometric", "color", "filter", "noise"),
    "bgcfnc": ("blit", "geometric", "color", "filter", "noise", "cutout"),
}


@dataclasses.dataclass
class NoAugmentationConfig(AugmentationConfig):
    """The discriminator sees images as they are."""

    kind: ClassVar[str] = "none"

    def build(self) -> None:
        return None


@dataclasses.dataclass
class DifferentiableConfig(AugmentationConfig):
    """DiffAugment (Zhao et al. 2020, arXiv:2006.10738): the same random changes for real images and for fakes.

    Attributes:
        transformations: Names out of color, translation and cutout. They are applied in the order in which they are
            given, and one that is given twice is applied twice. The default is all three, the paper's choice for small
            data.
    """

    kind: ClassVar[str] = "differentiable"

    transformations: tuple[str, ...] = TRANSFORMATIONS

    def problems(self) -> Iterator[str]:
        for name in self.transformations:
            yield from checks.choice("augmentation.transformations", name, TRANSFORMATIONS)

    def build(self) -> "DifferentiableAugmentation":
        from biggan_tf.augmentations.differentiable import DifferentiableAugmentation

        return DifferentiableAugmentation(self.transformations)


@dataclasses.dataclass
class AdaptiveConfig(AugmentationConfig):
    """Adaptive discriminator augmentation, ADA (Karras et al. 2020, arXiv:2006.06676).

    Attributes:
        transforms: Which ones, a name of `TRANSFORM_GROUPS`: b blit, g geometric, c color, f filter, n noise, c cutout.
            The paper's choice is bgc.
        target: The mean sign of D's answers to real images that the probability of the transforms is steered to.
        every_steps: Every how many steps the probability is adjusted.
        adjustment_images: After how many real images the probability can have risen from 0 to 1. The authors take
            500,000 for a training from scratch, 100,000 for one that begins with trained networks.
        fixed_probability: A probability that is never adjusted; None: it is adaptive and begins at 0.
    """

    kind: ClassVar[str] = "adaptive"

    transforms: str = "bgc"
    target: float = 0.6
    every_steps: int = 4
    adjustment_images: int = 500_000
    fixed_probability: float | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of transforms, in the order in which they are applied."""
        return TRANSFORM_GROUPS[self.transforms]

    def problems(self) -> Iterator[str]:
        yield from checks.choice("augmentation.transforms", self.transforms, TRANSFORM_GROUPS)
        yield from checks.between("augmentation.target", self.target, -1.0, 1.0)
        yield from checks.at_least(self, "augmentation", 1, ("every_steps", "adjustment_images"))
        if self.fixed_probability is not None and not 0.0 <= self.fixed_probability <= 1.0:
            yield (
                "augmentation.fixed_probability must be a probability, from 0 to 1, or None for an adaptive one. "
                f"Received: {self.fixed_probability}; give such a number, or leave it out."
            )

    def build(self) -> "AdaptiveAugmentation":
        from biggan_tf.augmentations.adaptive import AdaptiveAugmentation

        return AdaptiveAugmentation(self)


@dataclasses.dataclass
class ScheduledConfig(AugmentationConfig):
    """The transforms of ADA with a probability that rises from 0 as images are seen, R3GAN's (arXiv:2501.05441).

    Attributes:
        transforms: Which ones, as in `AdaptiveConfig`. R3GAN takes those of bgc and the cutout.
        color_share: The share of the probability that the transforms of color are applied with; 0.5 in R3GAN.
        final_probability: The probability at the end.
        schedule_images: After how many real images it is reached, along half a cosine.
    """

    kind: ClassVar[str] = "scheduled"

    transforms: str = "bgcc"
    color_share: float = 0.5
    final_probability: float = 0.3
    schedule_images: int = 20_000_000

    @property
    def shares(self) -> dict[str, float]:
        """The groups of transforms with their shares of the probability, in the order in which they are applied."""
        return {name: self.color_share if name == "color" else 1.0 for name in TRANSFORM_GROUPS[self.transforms]}

    def problems(self) -> Iterator[str]:
        yield from checks.choice("augmentation.transforms", self.transforms, TRANSFORM_GROUPS)
        yield from checks.at_least(self, "augmentation", 1, ("schedule_images",))
        for name in ("color_share", "final_probability"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                yield f"augmentation.{name} must be from 0 to 1. Received: {value}; R3GAN takes 0.5 and 0.3 to 0.55."

    def build(self) -> "ScheduledAugmentation":
        from biggan_tf.augmentations.scheduled import ScheduledAugmentation

        return ScheduledAugmentation(self)
