"""The toy's numbers."""

import dataclasses
from typing import ClassVar

from biggan_tf.augmentations.config import DifferentiableConfig
from biggan_tf.config import Config, checks
from biggan_tf.config.parts import FamilyConfig, GameConfig, NormSlot


@dataclasses.dataclass
class ToyConfig(FamilyConfig):
    """A DCGAN with noise in every level, without batch norm and spectral norm."""

    kind: ClassVar[str] = "toy"
    carries_heads: ClassVar[bool] = True
    has_norm_slots: ClassVar[bool] = True

    width: int = 8  # channels

    def problems(self):
        yield from super().problems()
        yield from checks.at_least(self, "model", 1, ("width",))

    def norm_slots(self):
        return tuple(NormSlot(size, self.width) for size in self.sizes)

    @property
    def sizes(self):
        """Those that the discriminator's levels put out."""
        return [self.resolution // 2 ** (i + 1) for i in range(self.resolution.bit_length() - 3)]

    def generator(self, name="generator"):
        from tests.toy_family.networks import ToyGenerator

        return ToyGenerator(self, name=name)

    def discriminator(self, name="discriminator"):
        from tests.toy_family.networks import ToyDiscriminator

        return ToyDiscriminator(self, name=name)


@dataclasses.dataclass
class ToyGameConfig(GameConfig):
    """The relativistic game with a gradient penalty."""

    kind: ClassVar[str] = "toy_relativistic"

    gamma: float = 1.0

    def build(self):
        from tests.toy_family.game import RelativisticGame

        return RelativisticGame(self)


def smallest():
    config = Config(name="toy")
    config.model = ToyConfig(resolution=8, num_classes=3, z_dim=8)
    config.game = ToyGameConfig()
    config.augmentation = DifferentiableConfig()
    return config
