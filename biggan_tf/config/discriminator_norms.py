"""What may normalise a discriminator: its activations, its kernels, or nothing.

A block of a discriminator has a norm slot next to each of its nonlinearities: in front of it, and after the convolution
that feeds it. A norm of activations puts a layer into every slot; a norm of kernels divides every kernel of the
network, those outside of the blocks too, by its largest singular value.
"""

import dataclasses
from collections.abc import Iterator
from typing import ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import DiscriminatorNormConfig, FamilyConfig

_LAYERS = "biggan_tf.layers.discriminator_norms"


@dataclasses.dataclass
class NoNormConfig(DiscriminatorNormConfig):
    """The slots are empty, and the kernels are used as they are."""

    kind: ClassVar[str] = "none"


@dataclasses.dataclass
class BatchNormConfig(DiscriminatorNormConfig):
    """Batch norm (arXiv:1502.03167): the moments of a channel are those of all rows of a call, on all replicas.

    It makes a row's answer depend on the other rows, so that real images and fakes go through the discriminator apart,
    and a penalty on the gradient at an image sees the others, too.

    Attributes:
        epsilon: Added to the variance.
        momentum: The share of the running moments, which are used outside of training, that a call in training keeps.
    """

    kind: ClassVar[str] = "batch"
    couples_rows: ClassVar[bool] = True
    layer_place: ClassVar[str] = f"{_LAYERS}:DiscriminatorBatchNorm"

    epsilon: float = 1e-5
    momentum: float = 0.9

    def problems(self) -> Iterator[str]:
        yield from _epsilon(self.epsilon)
        yield from checks.between("model.discriminator_norm.momentum", self.momentum, 0.0, 1.0, low_allowed=True)

    def layer_options(self, offset: bool) -> dict[str, float]:
        return {"offset": offset, "epsilon": self.epsilon, "momentum": self.momentum}


@dataclasses.dataclass
class LayerNormConfig(DiscriminatorNormConfig):
    """Layer norm (arXiv:1607.06450): the moments of a row are those of all its positions and channels.

    Attributes:
        epsilon: Added to the variance.
    """

    kind: ClassVar[str] = "layer"
    layer_place: ClassVar[str] = f"{_LAYERS}:GroupNorm"

    epsilon: float = 1e-5

    def problems(self) -> Iterator[str]:
        yield from _epsilon(self.epsilon)

    def layer_options(self, offset: bool) -> dict[str, float]:
        return {"offset": offset, "epsilon": self.epsilon, "num_groups": 1}


@dataclasses.dataclass
class InstanceNormConfig(DiscriminatorNormConfig):
    """Instance norm (arXiv:1607.08022): the moments of a row's channel are those of its positions.

    Attributes:
        epsilon: Added to the variance.
    """

    kind: ClassVar[str] = "instance"
    layer_place: ClassVar[str] = f"{_LAYERS}:GroupNorm"

    epsilon: float = 1e-5

    def problems(self) -> Iterator[str]:
        yield from _epsilon(self.epsilon)

    def problems_with(self, model: FamilyConfig) -> Iterator[str]:
        yield from super().problems_with(model)
        if any(slot.size == 1 for slot in model.norm_slots()):
            yield (
                f"model.discriminator_norm must not be instance with a slot of one pixel, where model {model.kind} has "
                "one: the norm leaves nothing of a single value. Received: instance; choose layer or batch."
            )

    def layer_options(self, offset: bool) -> dict[str, float]:
        return {"offset": offset, "epsilon": self.epsilon, "num_groups": 0}


@dataclasses.dataclass
class GroupNormConfig(DiscriminatorNormConfig):
    """Group norm (arXiv:1803.08494): the moments of a group of a row's channels are those of all their positions.

    Attributes:
        num_groups: Groups of neighbouring channels in every slot. The paper takes 32.
        epsilon: Added to the variance.
    """

    kind: ClassVar[str] = "group"
    layer_place: ClassVar[str] = f"{_LAYERS}:GroupNorm"

    num_groups: int = 32
    epsilon: float = 1e-5

    def problems(self) -> Iterator[str]:
        yield from _epsilon(self.epsilon)
        yield from checks.at_least(self, "model.discriminator_norm", 1, ("num_groups",))

    def problems_with(self, model: FamilyConfig) -> Iterator[str]:
        yield from super().problems_with(model)
        channels = sorted({slot.channels for slot in model.norm_slots()})
        uneven = [number for number in channels if self.num_groups > 0 and number % self.num_groups]
        if uneven:
            yield (
                "model.discriminator_norm.num_groups must divide the channels of every slot, "
                f"{', '.join(map(str, channels))} in the discriminator of model {model.kind}. Received: "
                f"{self.num_groups}; choose a divisor of them all."
            )
        elif any(slot.size == 1 and slot.channels == self.num_groups for slot in model.norm_slots()):
            yield (
                "model.discriminator_norm.num_groups must be smaller than the channels of a slot of one pixel, where "
                f"model {model.kind} has one: the norm leaves nothing of a single value. Received: {self.num_groups}; "
                "choose fewer groups."
            )

    def layer_options(self, offset: bool) -> dict[str, float]:
        return {"offset": offset, "epsilon": self.epsilon, "num_groups": self.num_groups}


@dataclasses.dataclass
class SpectralConfig(DiscriminatorNormConfig):
    """Spectral norm (arXiv:1802.05957): every kernel is divided by its largest singular value."""

    kind: ClassVar[str] = "spectral"
    divides_kernels: ClassVar[bool] = True


@dataclasses.dataclass
class ConditionalSpectralConfig(SpectralConfig):
    """Spectral norm with a gain for each class, in every norm slot.

    There is no public code of a label-conditional spectral norm, so this is our definition. Every kernel W is divided
    by its largest singular value sigma(W), and in every slot the activations of a row of class y are multiplied by
    exp(a_y), where a is a trained vector of the slot with a number for each class, 0 at first. The convolution next to
    a slot therefore computes with

        W_y = exp(a_y) W / sigma(W),    whose largest singular value is exp(a_y),

    and each class has a Lipschitz constant of its own, in which the gains of the slots are factors. The gain is a
    positive number, so it may stand on either side of a (leaky) ReLU. At first all gains are 1, and the network
    computes what it does with plain spectral norm.
    """

    kind: ClassVar[str] = "conditional_spectral"
    layer_place: ClassVar[str] = f"{_LAYERS}:ClassGain"
    needs_classes: ClassVar[bool] = True


def _epsilon(value: float) -> Iterator[str]:
    yield from checks.between("model.discriminator_norm.epsilon", value, 0.0, 1.0)
