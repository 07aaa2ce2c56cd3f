"""R3GAN's configuration."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import FamilyConfig, NormSlot

if TYPE_CHECKING:
    from biggan_tf.families.r3gan.discriminator import Discriminator
    from biggan_tf.families.r3gan.generator import Generator


@dataclasses.dataclass
class R3GANConfig(FamilyConfig):
    """Both networks, which mirror each other. The defaults are the authors' networks for CIFAR-10.

    A stage is the blocks at one resolution. The tables have a number for each stage, that of 4x4 first.

    Attributes:
        widths: The channels of each stage.
        cardinalities: The groups of the 3x3 convolutions of each stage.
        blocks: How many blocks each stage has.
        expansion: How many times as many channels there are inside of a block.
        class_dim: Values of a class embedding of the generator.
        discriminator_class_dim: Values of a class embedding of the discriminator; None: as many as the stage at 4x4 has
            channels.
        wide_stages: How many stages, from 4x4 on, compute in the dtype of the weights under a mixed policy.
    """

    kind: ClassVar[str] = "r3gan"
    carries_heads: ClassVar[bool] = True
    free_to_change: ClassVar[tuple[str, ...]] = (*FamilyConfig.free_to_change, "wide_stages")
    has_norm_slots: ClassVar[bool] = True

    resolution: int = 32
    num_classes: int = 0
    z_dim: int = 64
    widths: tuple[int, ...] = (768, 768, 768, 768)
    cardinalities: tuple[int, ...] = (96, 96, 96, 96)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    expansion: int = 2
    class_dim: int = 64
    discriminator_class_dim: int | None = None
    wide_stages: int = 1

    @property
    def judged_values(self) -> int:
        """The values of the discriminator's last layer: those of a class embedding, or the logit alone."""
        return (self.discriminator_class_dim or self.widths[0]) if self.own_classes else 1

    def norm_slots(self) -> tuple[NormSlot, ...]:
        """Two in each block of the discriminator, after its first two convolutions."""
        stages = reversed(list(enumerate(zip(self.widths, self.blocks, strict=True))))
        return tuple(
            NormSlot(4 * 2**number, self.expansion * width)
            for number, (width, blocks) in stages
            for _ in range(2 * blocks)
        )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, "model", 1, ("expansion", "class_dim"))
        yield from checks.at_least(self, "model", 0, ("wide_stages",))
        if self.discriminator_class_dim is not None:
            yield from checks.at_least(self, "model", 1, ("discriminator_class_dim",))
        yield from self._table_problems()

    def _table_problems(self) -> Iterator[str]:
        stages = len(self.widths)
        for name in ("widths", "cardinalities", "blocks"):
            numbers = getattr(self, name)
            if len(numbers) != stages or any(number < 1 for number in numbers):
                yield (
                    f"model.{name} must have a number of at least 1 for each stage of model.widths. Received: "
                    f"{numbers} for {stages} stages."
                )
                return
        if not stages or self.resolution != 4 * 2 ** (stages - 1):
            yield (
                "model.widths must have a stage for each of the resolutions 4, 8, ... up to model.resolution. "
                f"Received: {stages} stages for {self.resolution} pixels."
            )
        for width, groups in zip(self.widths, self.cardinalities, strict=True):
            if self.expansion * width % groups:
                yield (
                    "model.cardinalities must divide the channels inside of a block, model.expansion times the stage's "
                    f"width. Received: {groups} groups of {self.expansion * width} channels; choose a divisor."
                )

    def generator(self, name: str = "generator") -> "Generator":
        from biggan_tf.families.r3gan.generator import Generator

        return Generator(self, name=name)

    def discriminator(self, name: str = "discriminator") -> "Discriminator":
        from biggan_tf.families.r3gan.discriminator import Discriminator

        return Discriminator(self, name=name)
