"""StyleGAN2's configuration."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import FamilyConfig, NormSlot
from biggan_tf.config.truncation import OF_STYLES, TruncationRule

if TYPE_CHECKING:
    from biggan_tf.families.stylegan2.discriminator import Discriminator
    from biggan_tf.families.stylegan2.generator import Generator

NOISES = ("random", "constant", "none")
ARCHITECTURES = ("residual", "plain")


@dataclasses.dataclass
class StyleConfig(FamilyConfig):
    """What StyleGAN2 and StyleGAN3 share: the mapping network and the discriminator.

    Attributes:
        w_dim: Values of w, the output of the mapping network, and of a class embedding.
        mapping_layers: Layers of the generator's mapping network. The authors take 2 for CIFAR-10 and for StyleGAN3.
        channel_base: Channels times resolution: a level of r pixels has min(channel_base / r, channel_max) channels.
        channel_max: The most channels.
        truncation_cutoff: How many of the first layers' w are truncated; None: all.
        mean_w_decay: The share of the running mean of w that a training step keeps.
        clamp: The largest size of an activation, for float16's sake; None: no limit.
        discriminator_architecture: residual, or plain without shortcuts, as the authors take for CIFAR-10.
        discriminator_mapping_layers: Layers of the discriminator's mapping of classes.
        class_dim: Values of that mapping's result; None: the channels at 4x4.
        deviation_group: Images in a group of the minibatch standard deviation; None: the whole batch.
        deviation_channels: Channels of it; 0: the discriminator does without.
    """

    truncation_rule: ClassVar[TruncationRule] = OF_STYLES
    carries_heads: ClassVar[bool] = True
    has_norm_slots: ClassVar[bool] = True
    free_to_change: ClassVar[tuple[str, ...]] = (
        *FamilyConfig.free_to_change,
        "truncation_cutoff",
        "mean_w_decay",
        "clamp",
    )

    resolution: int = 256
    num_classes: int = 0
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    channel_base: int = 32768
    channel_max: int = 512
    truncation_cutoff: int | None = None
    mean_w_decay: float = 0.998
    clamp: float | None = 256.0
    discriminator_architecture: str = "residual"
    discriminator_mapping_layers: int = 8
    class_dim: int | None = None
    deviation_group: int | None = 4
    deviation_channels: int = 1

    @property
    def averages_buffers(self) -> bool:
        """The running mean of w and what else is not trained are copied into the moving average of the generator."""
        return False

    def norm_slots(self) -> tuple[NormSlot, ...]:
        """Two in each block of the discriminator: after a convolution, which in the second halves the image."""
        slots = []
        for size in self.levels[:0:-1]:
            slots += [NormSlot(size, self.channels(size)), NormSlot(size // 2, self.channels(size // 2))]
        return tuple(slots)

    @property
    def levels(self) -> tuple[int, ...]:
        """The resolutions of the discriminator's levels, from 4 on."""
        return tuple(4 * 2**i for i in range(self.resolution.bit_length() - 2))

    @property
    def num_styles(self) -> int:
        """How many w an image has."""
        raise NotImplementedError(f"{type(self).__name__} must define num_styles.")

    def channels(self, resolution: int) -> int:
        """The channels of a level of the discriminator."""
        return min(self.channel_base // resolution, self.channel_max)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.choice("model.discriminator_architecture", self.discriminator_architecture, ARCHITECTURES)
        yield from checks.at_least(
            self, "model", 1, ("w_dim", "channel_max", "mapping_layers", "discriminator_mapping_layers")
        )
        yield from checks.at_least(self, "model", 0, ("deviation_channels",))
        for name, least in (("deviation_group", 1), ("class_dim", 1), ("truncation_cutoff", 0)):
            if getattr(self, name) is not None:
                yield from checks.at_least(self, "model", least, (name,))
        if self.clamp is not None and not self.clamp > 0.0:
            yield f"model.clamp must be above 0, or None for no limit. Received: {self.clamp}; the authors take 256."
        yield from checks.between("model.mean_w_decay", self.mean_w_decay, 0.0, 1.0, low_allowed=True)
        if self.channel_base < self.resolution:
            yield (
                "model.channel_base must be at least model.resolution, so that every level has a channel. Received: "
                f"channel_base={self.channel_base}, resolution={self.resolution}; 32768 is the paper's."
            )
        if self.deviation_channels and self.channels(4) % self.deviation_channels:
            yield (
                "model.deviation_channels must divide the channels at 4x4. Received: "
                f"{self.deviation_channels} and {self.channels(4)}."
            )


@dataclasses.dataclass
class StyleGAN2Config(StyleConfig):
    """Both networks. The defaults are config F of the paper at 256 pixels; config E has half of its `channel_base`.

    Attributes:
        noise: What is added in each layer. random: new numbers by the key of each row; constant: the same stored
            numbers for all rows; none: nothing.
        noise_correlation: The coefficient of a first-order autoregression of random noise along both axes; 0:
            independent pixels, as in the paper.
    """

    kind: ClassVar[str] = "stylegan2"
    folding: ClassVar[str] = "biggan_tf.families.stylegan2.inference:fold"
    free_to_change: ClassVar[tuple[str, ...]] = (*StyleConfig.free_to_change, "noise", "noise_correlation")

    noise: str = "random"
    noise_correlation: float = 0.0

    @property
    def num_styles(self) -> int:
        """How many w an image has: one for each convolution, and one for the last conversion to RGB."""
        return 2 * len(self.levels)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.resolution < 4 or self.resolution & (self.resolution - 1):
            yield (
                f"model.resolution must be a power of two, 4 or more. Received: {self.resolution}; prepare the data at "
                "such a size."
            )
        yield from checks.choice("model.noise", self.noise, NOISES)
        yield from checks.between("model.noise_correlation", self.noise_correlation, 0.0, 1.0, low_allowed=True)

    def generator(self, name: str = "generator") -> "Generator":
        from biggan_tf.families.stylegan2.generator import Generator

        return Generator(self, name=name)

    def discriminator(self, name: str = "discriminator") -> "Discriminator":
        from biggan_tf.families.stylegan2.discriminator import Discriminator

        return Discriminator(self, name=name)
