"""The numbers of each condition."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import ConditionConfig, FamilyConfig, GameConfig

if TYPE_CHECKING:
    from biggan_tf.conditions.acgan import ACGANCondition
    from biggan_tf.conditions.contragan import ContraGANCondition
    from biggan_tf.conditions.info_max import InfoMaxCondition
    from biggan_tf.conditions.info_nce import InfoNCECondition
    from biggan_tf.conditions.infogan import InfoGANCondition
    from biggan_tf.conditions.level_information import LevelInformationCondition
    from biggan_tf.conditions.reacgan import ReACGANCondition

_SECTION = "model.condition"


@dataclasses.dataclass
class ProjectionConfig(ConditionConfig):
    """The discriminator's own last layer, which all families but progan project on the class (arXiv:1802.05637).

    progan's is the auxiliary classifier of its paper. Without classes it is a linear layer.
    """

    kind: ClassVar[str] = "projection"


@dataclasses.dataclass
class NoConditionConfig(ConditionConfig):
    """The discriminator is not told the class, though the generator may be."""

    kind: ClassVar[str] = "none"
    keeps_own_head: ClassVar[bool] = False


@dataclasses.dataclass
class ClassConditionConfig(ConditionConfig):
    """What conditions share whose head tells the classes, so that the logit does not depend on them."""

    keeps_own_head: ClassVar[bool] = False

    def problems_with(self, model: FamilyConfig, game: GameConfig) -> Iterator[str]:
        of_heads = list(super().problems_with(model, game))
        yield from of_heads
        if not of_heads and not model.num_classes:
            yield (
                f"{_SECTION} {self.kind} needs classes. Received: model.num_classes=0; give their number, or choose "
                f"{_SECTION} projection, which without classes is none."
            )


@dataclasses.dataclass
class ACGANConfig(ClassConditionConfig):
    """An auxiliary classifier (Odena et al. 2017, arXiv:1610.09585).

    Attributes:
        real_weight: The weight of the cross-entropy of real images in D's loss.
        fake_weight: The weight of the cross-entropy of fakes in D's loss, as in the paper; 0: D's classifier learns
            from real images alone, as in StudioGAN.
        generator_weight: The weight of the cross-entropy of fakes in G's loss.
    """

    kind: ClassVar[str] = "acgan"
    free_to_change: ClassVar[tuple[str, ...]] = ("real_weight", "fake_weight", "generator_weight")

    real_weight: float = 1.0
    fake_weight: float = 1.0
    generator_weight: float = 1.0

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, _SECTION, 0, self.free_to_change)

    def build(self) -> "ACGANCondition":
        from biggan_tf.conditions.acgan import ACGANCondition

        return ACGANCondition(self)


@dataclasses.dataclass
class ContraGANConfig(ClassConditionConfig):
    """The conditional contrastive loss, 2C (Kang and Park 2020, arXiv:2006.12681).

    It compares the images of a micro-batch on all replicas; accumulation does not make that batch larger.

    Attributes:
        embedding_dim: Values of the embedding of an image and of a class. StudioGAN takes 512 for CIFAR-10 and 1536 for
            ImageNet.
        temperature: What cosines are divided by.
        weight: The weight of this loss, for real images in D's loss and for fakes in G's.
    """

    kind: ClassVar[str] = "contragan"
    compares_rows: ClassVar[bool] = True
    free_to_change: ClassVar[tuple[str, ...]] = ("temperature", "weight")

    embedding_dim: int = 512
    temperature: float = 1.0
    weight: float = 1.0

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, _SECTION, 1, ("embedding_dim",))
        yield from checks.at_least(self, _SECTION, 0, ("weight",))
        yield from _temperature(self.temperature)

    def build(self) -> "ContraGANCondition":
        from biggan_tf.conditions.contragan import ContraGANCondition

        return ContraGANCondition(self)


@dataclasses.dataclass
class ReACGANConfig(ClassConditionConfig):
    """The data-to-data cross-entropy, D2D-CE (Kang et al. 2021, arXiv:2111.01118).

    It compares the images of a micro-batch on all replicas; accumulation does not make that batch larger.

    Attributes:
        embedding_dim: Values of the embedding of an image and of a class.
        temperature: What cosines are divided by. StudioGAN takes 0.5, and 0.25 for ImageNet with batches of 2048.
        positive_margin: The cosine with its class's embedding from which on an image has no gradient by it. StudioGAN
            takes 0.98, and 0.9 for ImageNet with batches of 2048.
        negative_margin: The cosine up to which images of two classes have no gradient by each other. StudioGAN takes
            1 - positive_margin.
        weight: The weight of this loss, for real images in D's loss and for fakes in G's. StudioGAN takes 0.5 for
            CIFAR-10 and for ImageNet with batches of 2048, and 1 for ImageNet with batches of 256.
    """

    kind: ClassVar[str] = "reacgan"
    compares_rows: ClassVar[bool] = True
    free_to_change: ClassVar[tuple[str, ...]] = ("temperature", "positive_margin", "negative_margin", "weight")

    embedding_dim: int = 2048
    temperature: float = 0.5
    positive_margin: float = 0.98
    negative_margin: float = 0.02
    weight: float = 0.5

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, _SECTION, 1, ("embedding_dim",))
        yield from checks.at_least(self, _SECTION, 0, ("weight",))
        yield from _temperature(self.temperature)
        for name in ("positive_margin", "negative_margin"):
            value = getattr(self, name)
            if not -1.0 <= value <= 1.0:
                yield (
                    f"{_SECTION}.{name} must be a cosine, from -1 to 1. Received: {value}; give another number. "
                    f"The default is {getattr(type(self), name)}."
                )

    def build(self) -> "ReACGANCondition":
        from biggan_tf.conditions.reacgan import ReACGANCondition

        return ReACGANCondition(self)


@dataclasses.dataclass
class InfoNCEConfig(ConditionConfig):
    """InfoNCE of real images and fakes, which needs no classes (arXiv:1807.03748, arXiv:2103.09742).

    Each update of D asks it about the real images once more, in another view. It compares the images of a micro-batch
    on all replicas; accumulation does not make that batch larger.

    Attributes:
        embedding_dim: Values of each of the two embeddings of an image.
        temperature: What cosines are divided by.
        weight: The weight of the loss of two views of real images, a term of D's loss.
        fake_weight: The weight of the loss of fakes among real images, a term of D's loss.
    """

    kind: ClassVar[str] = "info_nce"
    compares_rows: ClassVar[bool] = True
    further_real_calls: ClassVar[int] = 1
    free_to_change: ClassVar[tuple[str, ...]] = ("temperature", "weight", "fake_weight")

    embedding_dim: int = 128
    temperature: float = 0.1
    weight: float = 1.0
    fake_weight: float = 1.0

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, _SECTION, 1, ("embedding_dim",))
        yield from checks.at_least(self, _SECTION, 0, ("weight", "fake_weight"))
        yield from _temperature(self.temperature)

    def build(self) -> "InfoNCECondition":
        from biggan_tf.conditions.info_nce import InfoNCECondition

        return InfoNCECondition(self)


@dataclasses.dataclass
class InfoMaxConfig(ConditionConfig):
    """InfoNCE between an image and the places of its feature map, which needs no classes (arXiv:2007.04589).

    It compares the images of a micro-batch on all replicas; accumulation does not make that batch larger.

    Attributes:
        embedding_dim: Values of the embedding of an image, and of that of a place.
        weight: The weight of the loss of real images, a term of D's loss.
        generator_weight: The weight of the loss of fakes, a term of G's loss.
    """

    kind: ClassVar[str] = "info_max"
    compares_rows: ClassVar[bool] = True
    free_to_change: ClassVar[tuple[str, ...]] = ("weight", "generator_weight")

    embedding_dim: int = 1024
    weight: float = 0.2
    generator_weight: float = 0.2

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, _SECTION, 1, ("embedding_dim",))
        yield from checks.at_least(self, _SECTION, 0, ("weight", "generator_weight"))

    def build(self) -> "InfoMaxCondition":
        from biggan_tf.conditions.info_max import InfoMaxCondition

        return InfoMaxCondition(self)


@dataclasses.dataclass
class InfoGANConfig(ConditionConfig):
    """Codes among the latents, which D guesses from fakes (Chen et al. 2016, arXiv:1606.03657).

    Classes enter as with projection.

    Attributes:
        categories: How many classes each categorical code has, such as (10,); each code takes as many of the first
            values of z.
        normal_codes: How many values of z after those are codes, of N(0, 1).
        weight: lambda of the bound in the losses of both networks.
    """

    kind: ClassVar[str] = "infogan"
    has_codes: ClassVar[bool] = True
    free_to_change: ClassVar[tuple[str, ...]] = ("weight",)

    categories: tuple[int, ...] = (10,)
    normal_codes: int = 2
    weight: float = 1.0

    @property
    def num_outputs(self) -> int:
        """How many numbers a guess is: a logit for each class, and a mean and a log-variance for each normal code."""
        return sum(self.categories) + 2 * self.normal_codes

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, _SECTION, 0, ("normal_codes", "weight"))
        if any(size < 2 for size in self.categories):
            yield f"{_SECTION}.categories must be numbers from 2 on. Received: {self.categories}; drop the others."
        if not self.categories and not self.normal_codes:
            yield f"{_SECTION} infogan needs a code. Received: no category and no normal code; give one of them."

    def problems_with(self, model: FamilyConfig, game: GameConfig) -> Iterator[str]:
        yield from super().problems_with(model, game)
        used = sum(self.categories) + self.normal_codes
        if used > model.z_dim:
            yield (
                f"model.z_dim must be at least {used}, the values that the codes of {_SECTION} infogan take. Received: "
                f"{model.z_dim}; give more values or fewer codes."
            )
        yield from _of_latents(self.kind, model, game)

    def build(self) -> "InfoGANCondition":
        from biggan_tf.conditions.infogan import InfoGANCondition

        return InfoGANCondition(self)


@dataclasses.dataclass
class LevelInformationConfig(ConditionConfig):
    """What an image tells of each level of its latent, as D guesses it from fakes; see `level_information`.

    Classes enter as with projection.

    Attributes:
        sizes: How many values of z each level has, the generator's `latent_levels()`: equal chunks in a hierarchical
            BigGAN, one for the first layer and one for each block; in any other family the one number z_dim.
        weights: The weight of each level's bound, in the losses of both networks; 0: the bound is reported alone.
    """

    kind: ClassVar[str] = "level_information"
    free_to_change: ClassVar[tuple[str, ...]] = ("weights",)

    sizes: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if len(self.weights) != len(self.sizes) or any(weight < 0.0 for weight in self.weights):
            yield (
                f"{_SECTION}.weights must be a number from 0 on for each of {_SECTION}.sizes. Received: {self.weights} "
                f"for {self.sizes}; give {len(self.sizes)} such numbers."
            )

    def problems_with(self, model: FamilyConfig, game: GameConfig) -> Iterator[str]:
        yield from super().problems_with(model, game)
        levels = model.latent_levels()
        if tuple(self.sizes) != levels:
            yield (
                f"{_SECTION}.sizes must be {levels}, the levels of the latents of model {model.kind}. Received: "
                f"{self.sizes}; set it so."
            )
        yield from _of_latents(self.kind, model, game)

    def build(self) -> "LevelInformationCondition":
        from biggan_tf.conditions.level_information import LevelInformationCondition

        return LevelInformationCondition(self)


def _of_latents(kind: str, model: FamilyConfig, game: GameConfig) -> Iterator[str]:
    """Why a condition that guesses latents cannot be had, a sentence for each reason."""
    if model.prior != "normal":
        yield (
            f"model.prior must be normal with {_SECTION} {kind}, whose codes are values of N(0, 1). Received: "
            f"{model.prior}; set it to normal."
        )
    mixing = getattr(game, "style_mixing", 0.0)
    if mixing:
        yield (
            f"game.style_mixing must be 0 with {_SECTION} {kind}, since a mixed image is of two codes. Received: "
            f"{mixing}; set it to 0."
        )


def _temperature(value: float) -> Iterator[str]:
    if not value > 0.0:
        yield f"{_SECTION}.temperature must be above 0. Received: {value}; cosines are divided by it."
