"""The configuration of progressively growing networks."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import FamilyConfig, NormSlot
from biggan_tf.families.biggan.tables import GENERATOR_CHANNELS

if TYPE_CHECKING:
    from biggan_tf.families.progan.discriminator import Discriminator
    from biggan_tf.families.progan.generator import Generator

TABLES = ("stylegan", "biggan")


@dataclasses.dataclass
class ProGANConfig(FamilyConfig):
    """Both networks. The defaults are the paper's, at 128 pixels.

    The networks always have the levels of `resolution`. How they grow while they train is `training.growth`.

    Attributes:
        channel_table: Which table gives the channels of a level of r pixels. stylegan: min(channel_base / r,
            channel_max), which with the default numbers is the paper's table too; biggan: channel_multiplier times the
            number that BigGAN's generator of this resolution has at that level.
        channel_base: Channels times resolution, for the table of StyleGAN.
        channel_max: The most channels, for the table of StyleGAN.
        channel_multiplier: BigGAN's ch, for its table.
        deviation_group: Images in a group of the minibatch standard deviation; 0: the discriminator does without.
        averages_before_activation: Whether the discriminator halves an image between the convolution and its bias, as
            the authors' code does where it fuses the two (`fused_scale`); False: after the activation.
    """

    kind: ClassVar[str] = "progan"
    carries_heads: ClassVar[bool] = True
    grows: ClassVar[bool] = True
    has_norm_slots: ClassVar[bool] = True
    has_class_head: ClassVar[bool] = True

    resolution: int = 128
    num_classes: int = 0
    z_dim: int = 512
    channel_table: str = "stylegan"
    channel_base: int = 16384
    channel_max: int = 512
    channel_multiplier: int = 64
    deviation_group: int = 4
    averages_before_activation: bool = True

    @property
    def averages_buffers(self) -> bool:
        """The level of detail is copied into the moving average of the generator."""
        return False

    @property
    def levels(self) -> tuple[int, ...]:
        """The resolutions of the levels, from 4 on."""
        return tuple(4 * 2**i for i in range(self.resolution.bit_length() - 2))

    def norm_slots(self) -> tuple[NormSlot, ...]:
        """Two in each block of the discriminator: after a convolution, which in the second may halve the image."""
        slots = []
        for size in self.levels[:0:-1]:
            after = size // 2 if self.averages_before_activation else size
            slots += [NormSlot(size, self.channels(size)), NormSlot(after, self.channels(size // 2))]
        return tuple(slots)

    def channels(self, resolution: int) -> int:
        """The channels of a level."""
        if self.channel_table == "biggan":
            return self.channel_multiplier * GENERATOR_CHANNELS[self.resolution][resolution.bit_length() - 3]
        return min(self.channel_base // resolution, self.channel_max)

    def lod_of(self, resolution: int) -> float:
        """The level of detail at which a level is the last one and has no share of a coarser one."""
        return float((self.resolution // resolution).bit_length() - 1)

    @property
    def hidden_units(self) -> int:
        """The values of the discriminator's hidden linear layer: in the paper's table the channels of 2x2."""
        if self.channel_table == "biggan":
            return self.channels(4)
        return min(self.channel_base // 2, self.channel_max)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.resolution < 4 or self.resolution & (self.resolution - 1):
            yield (
                f"model.resolution must be a power of two, 4 or more. Received: {self.resolution}; prepare the data at "
                "such a size."
            )
        yield from checks.choice("model.channel_table", self.channel_table, TABLES)
        yield from checks.at_least(self, "model", 1, ("channel_max", "channel_multiplier"))
        yield from checks.at_least(self, "model", 0, ("deviation_group",))
        if self.channel_table == "biggan" and self.resolution not in GENERATOR_CHANNELS:
            yield (
                f"model.resolution must be one of {', '.join(map(str, GENERATOR_CHANNELS))} for BigGAN's table of "
                f"channels. Received: {self.resolution}; take model.channel_table=stylegan for other resolutions."
            )
        if self.channel_table == "stylegan" and self.channel_base < self.resolution:
            yield (
                "model.channel_base must be at least model.resolution, so that every level has a channel. Received: "
                f"channel_base={self.channel_base}, resolution={self.resolution}; 16384 is the paper's."
            )

    def generator(self, name: str = "generator") -> "Generator":
        from biggan_tf.families.progan.generator import Generator

        return Generator(self, name=name)

    def discriminator(self, name: str = "discriminator") -> "Discriminator":
        from biggan_tf.families.progan.discriminator import Discriminator

        return Discriminator(self, name=name)
