"""The configuration of networks that enlarge images."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import FamilyConfig, NormSlot

if TYPE_CHECKING:
    from biggan_tf.families.super_resolution.discriminator import Discriminator
    from biggan_tf.families.super_resolution.generator import Generator

UPSAMPLINGS = ("sub_pixel", "fir")
REDUCTIONS = ("bilinear", "bicubic", "lanczos")


@dataclasses.dataclass
class SuperResolutionConfig(FamilyConfig):
    """Both networks. The small images are those of the data, reduced in the training; classes have no part in it.

    Attributes:
        resolution: Height and width of the large images of the training. The generator enlarges small ones of any size.
        factor: How many times as large an image becomes: 2 or 4.
        reduction: How large images become small ones: "bicubic", "bilinear" or "lanczos", each with antialiasing.
        width: Channels of the generator.
        blocks: Residual blocks of the generator, all at the size of the small image.
        upsampling: "sub_pixel", a convolution with 4 times the channels, which become 2x2 pixels; or "fir", StyleGAN2's
            filter in front of a convolution.
        noise: Whether the generator has noise as an input, from which it can draw detail that the small image has not.
        discriminator_width: Channels of the discriminator at the full size, doubled at each halving.
        discriminator_max_width: The most channels that it has anywhere.
        z_dim: Values of a latent, which has no effect: what differs between two images of one small image is noise.
    """

    kind: ClassVar[str] = "super_resolution"
    has_norm_slots: ClassVar[bool] = True

    resolution: int = 128
    num_classes: int = 0
    z_dim: int = 1
    factor: int = 4
    reduction: str = "bicubic"
    width: int = 64
    blocks: int = 8
    upsampling: str = "sub_pixel"
    noise: bool = True
    discriminator_width: int = 32
    discriminator_max_width: int = 256

    @property
    def enlargement(self) -> int:
        return self.factor

    @property
    def small_size(self) -> int:
        """Height and width of the small images of the training."""
        return self.resolution // self.factor

    def levels(self) -> tuple[NormSlot, ...]:
        """The size and the channels that each convolution of the discriminator puts out, in order."""
        size, width = self.resolution, self.discriminator_width
        levels = [NormSlot(size, width)]
        while size >= 8:
            size, width = size // 2, min(2 * width, self.discriminator_max_width)
            levels.append(NormSlot(size, width))
        return tuple(levels)

    def norm_slots(self) -> tuple[NormSlot, ...]:
        """One behind each convolution of the discriminator but the first."""
        return self.levels()[1:]

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.choice("model.upsampling", self.upsampling, UPSAMPLINGS)
        yield from checks.choice("model.reduction", self.reduction, REDUCTIONS)
        yield from checks.at_least(self, "model", 1, ("width", "discriminator_width", "discriminator_max_width"))
        yield from checks.at_least(self, "model", 0, ("blocks",))
        if self.factor not in (2, 4):
            yield f"model.factor must be 2 or 4. Received: {self.factor}; choose one of the two."
        if self.resolution < 8 or self.resolution & (self.resolution - 1):
            yield (
                "model.resolution must be a power of two of at least 8, since the discriminator halves images down to "
                f"4 pixels. Received: {self.resolution}; choose 32, 64 or 128."
            )
        if self.num_classes:
            yield (
                "model.num_classes must be 0 with model super_resolution, whose images depend on small images and not "
                f"on classes. Received: {self.num_classes}; set it to 0, also for data that has classes."
            )

    def generator(self, name: str = "generator") -> "Generator":
        from biggan_tf.families.super_resolution.generator import Generator

        return Generator(self, name=name)

    def discriminator(self, name: str = "discriminator") -> "Discriminator":
        from biggan_tf.families.super_resolution.discriminator import Discriminator

        return Discriminator(self, name=name)
