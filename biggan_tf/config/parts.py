"""Parts: whatever a run chooses one of many of, and the one registry that knows them by name.

A run's configuration holds a part for its family of networks (`model`), for its game (`game`), for its augmentation
(`augmentation`) and for the frozen classifier that helps D (`classifier`). That of the family holds one for its
condition (`model.condition`) and one for what normalises D (`model.discriminator_norm`), and names its prior
(`model.prior`), a function and no dataclass. A part is a dataclass of the member's own numbers; `build` and its like
import TensorFlow only when they are called, so that a worker of the data pipeline can read any configuration without
it.
"""

import dataclasses
import importlib
import typing
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.section import Section
from biggan_tf.config.truncation import OF_LATENTS, TruncationRule

if typing.TYPE_CHECKING:
    import keras

    from biggan_tf.contracts.augmentation import Augmentation
    from biggan_tf.contracts.condition import Condition
    from biggan_tf.contracts.discriminator import Discriminator
    from biggan_tf.contracts.game import Game
    from biggan_tf.contracts.generator import Generator
    from biggan_tf.contracts.inference import BatchNormMoments, InferenceGenerator

# Slot to kind to "module:name". A new member is one line here; nothing else in the package lists the members.
PARTS: dict[str, dict[str, str]] = {
    "model": {
        "biggan": "biggan_tf.families.biggan.config:BigGANConfig",
        "progan": "biggan_tf.families.progan.config:ProGANConfig",
        "r3gan": "biggan_tf.families.r3gan.config:R3GANConfig",
        "stylegan2": "biggan_tf.families.stylegan2.config:StyleGAN2Config",
        "stylegan3": "biggan_tf.families.stylegan3.config:StyleGAN3Config",
        "super_resolution": "biggan_tf.families.super_resolution.config:SuperResolutionConfig",
    },
    "game": {
        "hinge": "biggan_tf.games.config:HingeConfig",
        "least_squares": "biggan_tf.games.config:LeastSquaresConfig",
        "multi_hinge": "biggan_tf.games.config:MultiHingeConfig",
        "non_saturating": "biggan_tf.games.config:NonSaturatingConfig",
        "r3gan": "biggan_tf.games.config:R3GANGameConfig",
        "relativistic": "biggan_tf.games.config:RelativisticConfig",
        "relativistic_average": "biggan_tf.games.config:RelativisticAverageConfig",
        "restoration": "biggan_tf.games.restoration_config:RestorationConfig",
        "stylegan2": "biggan_tf.games.config:StyleGAN2GameConfig",
        "wasserstein": "biggan_tf.games.config:WassersteinConfig",
        "wasserstein_gp": "biggan_tf.games.config:WassersteinGPConfig",
    },
    "condition": {
        "projection": "biggan_tf.conditions.config:ProjectionConfig",
        "none": "biggan_tf.conditions.config:NoConditionConfig",
        "acgan": "biggan_tf.conditions.config:ACGANConfig",
        "contragan": "biggan_tf.conditions.config:ContraGANConfig",
        "reacgan": "biggan_tf.conditions.config:ReACGANConfig",
        "info_max": "biggan_tf.conditions.config:InfoMaxConfig",
        "info_nce": "biggan_tf.conditions.config:InfoNCEConfig",
        "infogan": "biggan_tf.conditions.config:InfoGANConfig",
        "level_information": "biggan_tf.conditions.config:LevelInformationConfig",
    },
    "augmentation": {
        "none": "biggan_tf.augmentations.config:NoAugmentationConfig",
        "differentiable": "biggan_tf.augmentations.config:DifferentiableConfig",
        "adaptive": "biggan_tf.augmentations.config:AdaptiveConfig",
        "scheduled": "biggan_tf.augmentations.config:ScheduledConfig",
    },
    "discriminator_norm": {
        "none": "biggan_tf.config.discriminator_norms:NoNormConfig",
        "batch": "biggan_tf.config.discriminator_norms:BatchNormConfig",
        "layer": "biggan_tf.config.discriminator_norms:LayerNormConfig",
        "instance": "biggan_tf.config.discriminator_norms:InstanceNormConfig",
        "group": "biggan_tf.config.discriminator_norms:GroupNormConfig",
        "spectral": "biggan_tf.config.discriminator_norms:SpectralConfig",
        "conditional_spectral": "biggan_tf.config.discriminator_norms:ConditionalSpectralConfig",
    },
    "classifier": {
        "none": "biggan_tf.config.classifiers:NoClassifierConfig",
        "efficientnet_lite0": "biggan_tf.config.classifiers:EfficientNetLite0Config",
        "saved_model": "biggan_tf.config.classifiers:SavedModelConfig",
    },
    "prior": {
        "normal": "biggan_tf.latents:normal",
        "uniform": "biggan_tf.latents:uniform",
        "student_t": "biggan_tf.latents:student_t",
        "bernoulli": "biggan_tf.latents:bernoulli",
        "censored_normal": "biggan_tf.latents:censored_normal",
    },
}


@dataclasses.dataclass
class Part(Section):
    """The numbers of one member of a slot.

    Attributes:
        slot: Which slot of `PARTS` the member belongs to.
        kind: The member's name there, which run.json keeps.
    """

    slot: ClassVar[str]
    kind: ClassVar[str]

    def problems(self) -> Iterator[str]:
        """What is wrong with these numbers, a sentence each: what must hold, what came and what to do."""
        yield from ()


class NormSlot(typing.NamedTuple):
    """The activations that a norm slot of a discriminator sees.

    Attributes:
        size: Their height and width.
        channels: Their channels.
    """

    size: int
    channels: int


@dataclasses.dataclass
class DiscriminatorNormConfig(Part):
    """What every norm of a discriminator is configured by; a norm adds its own fields.

    Attributes:
        divides_kernels: Whether every kernel of the discriminator is divided by its largest singular value.
        couples_rows: Whether a row's activations depend on the other rows of a call.
        needs_classes: Whether a slot's layer is called with the classes of the rows, as rows of weights for them.
        layer_place: "module:name" of the layer in every norm slot; "": the slots are empty.
    """

    slot: ClassVar[str] = "discriminator_norm"
    divides_kernels: ClassVar[bool] = False
    couples_rows: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False
    layer_place: ClassVar[str] = ""

    def problems_with(self, model: "FamilyConfig") -> Iterator[str]:
        """Why the discriminator of a family cannot have this norm, a sentence for each reason.

        Args:
            model: The configuration of the networks, which has no problem of its own.
        """
        if self.layer_place and not model.norm_slots():
            yield (
                f"model.discriminator_norm must be none or spectral where the discriminator has no block, as that of "
                f"model {model.kind} at {model.resolution} pixels. Received: {self.kind}; choose one of the two."
            )
        if self.needs_classes and not model.num_classes:
            yield (
                f"model.discriminator_norm must be another one than {self.kind} without classes, for each of which it "
                "has a gain. Received: model.num_classes=0; choose spectral."
            )

    def layer(self, name: str, dtype: "keras.DTypePolicy | str", offset: bool = True) -> "keras.layers.Layer | None":
        """Creates a layer for a norm slot, see `layers.discriminator_norms`; None: the slot stays empty.

        Args:
            name: The name of the layer.
            dtype: The layer's dtype policy.
            offset: Whether a norm of activations has an offset; one in front of a bias needs none.
        """
        if not self.layer_place:
            return None
        made: keras.layers.Layer = imported(self.layer_place)(**self.layer_options(offset), name=name, dtype=dtype)
        return made

    def layer_options(self, offset: bool) -> dict[str, float]:
        """What a slot's layer is created with, by the names of its arguments.

        Args:
            offset: Whether a norm of activations has an offset; one in front of a bias needs none.
        """
        del offset
        return {}


@dataclasses.dataclass
class ConditionConfig(Part):
    """What every condition is configured by: how the discriminator is told, or tells, what an image is of.

    A condition belongs to the networks and not to the game: the discriminator may have heads for it, which whoever
    loads a discriminator must build.

    Attributes:
        keeps_own_head: Whether the discriminator's own last layer knows the classes, as it does by default; False: its
            logit does not depend on them, and the condition's head tells them.
        compares_rows: Whether its loss compares the images of a micro-batch, so that there must be two of them.
        has_codes: Whether some values of a latent are codes, which the generator is given in another form.
        further_real_calls: How many times each update of D asks it about the real images once more, beside the game.
        free_to_change: Fields with which a run may go on from a checkpoint that had others: no weight depends on them.
    """

    slot: ClassVar[str] = "condition"
    keeps_own_head: ClassVar[bool] = True
    compares_rows: ClassVar[bool] = False
    has_codes: ClassVar[bool] = False
    further_real_calls: ClassVar[int] = 0
    free_to_change: ClassVar[tuple[str, ...]] = ()

    def problems_with(self, model: "FamilyConfig", game: "GameConfig") -> Iterator[str]:
        """Why networks or a game cannot have this condition, a sentence for each reason.

        Args:
            model: The configuration of the networks.
            game: The configuration of the game.
        """
        del game
        if type(self).build is not ConditionConfig.build and not model.carries_heads:
            yield (
                f"model.condition {self.kind} needs a discriminator that carries further heads. Received: model "
                f"{model.kind}, whose discriminator has none; choose model.condition projection or another model."
            )

    def build(self) -> "Condition | None":
        """The condition itself; None, the default: there are no further heads and no further losses."""
        return None


@dataclasses.dataclass
class FamilyConfig(Part):
    """What every family of networks is configured by; a family adds its own fields.

    Attributes:
        resolution: Height and width of the images.
        num_classes: Classes of the data; 0: the networks are unconditional.
        z_dim: Values of a latent.
        prior: The distribution of latents, a name in `PARTS["prior"]`. It belongs to the family, so that whoever loads
            a generator (evaluation, export) samples what it was trained with.
        condition: How the classes enter the discriminator, and what else its heads say of an image.
        policy: Keras's dtype policy: float32, mixed_bfloat16, mixed_float16, float64, or auto (the faster of float32
            and mixed_bfloat16 on this device).
        discriminator_norm: What normalises the discriminator; by default what the family's authors take.
        free_to_change: Fields with which a run may go on from a checkpoint that had others: neither the weights nor
            their meaning depend on them.
        folding: "module:name" of the function behind `fold`, for a family with a faster way of its own.
        has_norm_slots: Whether the family's discriminator can be built with any norm of the registry.
        has_class_head: Whether the judgements of a discriminator with classes have a head "classes" of class logits.
        grows: Whether the networks are `contracts.growing.GrowingNetwork`, which `training.growth` needs.
        truncation_rule: What a truncation means for the family, and which ones a served model takes.
        carries_heads: Whether the discriminator builds and asks the heads of a condition, see
            `Discriminator.build_condition`.
    """

    slot: ClassVar[str] = "model"
    free_to_change: ClassVar[tuple[str, ...]] = ("policy", "prior", "discriminator_norm.momentum")
    folding: ClassVar[str] = "biggan_tf.inference.folding:fold"
    has_norm_slots: ClassVar[bool] = False
    has_class_head: ClassVar[bool] = False
    grows: ClassVar[bool] = False
    truncation_rule: ClassVar[TruncationRule] = OF_LATENTS
    carries_heads: ClassVar[bool] = False

    resolution: int = 128
    num_classes: int = 1000
    z_dim: int = 120
    prior: str = "normal"
    policy: str = "float32"
    condition: ConditionConfig = dataclasses.field(default_factory=lambda: load("condition", "projection")())
    discriminator_norm: DiscriminatorNormConfig = dataclasses.field(
        default_factory=lambda: load("discriminator_norm", "none")()
    )

    def problems(self) -> Iterator[str]:
        yield from checks.choice("model.prior", self.prior, PARTS["prior"])
        yield from checks.choice("model.policy", self.policy, checks.POLICIES)
        yield from checks.at_least(self, "model", 1, ("resolution", "z_dim"))
        yield from checks.at_least(self, "model", 0, ("num_classes",))
        yield from self.condition.problems()
        yield from self.discriminator_norm.problems()
        if not self.has_norm_slots and self.discriminator_norm.kind != "none":
            yield (
                f"model.discriminator_norm must be none with model {self.kind}, whose discriminator has no norm slots. "
                f"Received: {self.discriminator_norm.kind}; leave it out, or choose another family."
            )

    def latent_levels(self) -> tuple[int, ...]:
        """How many values of a latent steer each level of the generator, in order; one number where z is not split."""
        return (self.z_dim,)

    def norm_slots(self) -> tuple[NormSlot, ...]:
        """The norm slots in the blocks of the discriminator, in order; none by default.

        It may only be asked where `problems` has nothing to say.
        """
        return ()

    def generator(self, name: str = "generator") -> "Generator":
        """A new generator with fresh weights."""
        raise NotImplementedError(f"{type(self).__name__} must define generator(name).")

    def discriminator(self, name: str = "discriminator") -> "Discriminator":
        """A new discriminator with fresh weights."""
        raise NotImplementedError(f"{type(self).__name__} must define discriminator(name).")

    def fold(
        self, generator: "Generator", moments: "BatchNormMoments", precision: str = "float32", rows: str = "exact"
    ) -> "InferenceGenerator":
        """Copies a trained generator into one for inference.

        Args:
            generator: Is left as it is.
            moments: What its batch norms are to hold; empty without batch norms.
            precision: "float32" or "bfloat16", of the computations.
            rows: "exact" or "fast": whether calls will hold one row each or batches.
        """
        return imported(self.folding)(generator, moments, precision, rows)

    @property
    def enlargement(self) -> int:
        """How many times as high and wide as its small image an image becomes; 1: the generator is given no small one.

        Above 1 the networks are those of `contracts.enlarging_generator`.
        """
        return 1

    @property
    def is_conditional(self) -> bool:
        """Whether the networks are called with more than latents and images: classes, or small images."""
        return self.num_classes > 0 or self.enlargement > 1

    @property
    def own_classes(self) -> int:
        """How many classes the discriminator's own last layer knows; 0 where a head of the condition tells them."""
        return self.num_classes if self.condition.keeps_own_head else 0

    @property
    def num_styles(self) -> int:
        """How many layers of the generator have a style of their own; 1, the default: styles cannot be mixed."""
        return 1

    @property
    def divides_kernels(self) -> bool:
        """Whether the discriminator divides its kernels by a norm of theirs, so that their size has no effect."""
        return self.discriminator_norm.divides_kernels

    @property
    def averages_buffers(self) -> bool:
        """Whether the moving average of the generator averages its non-trained state too, or copies it."""
        return True


@dataclasses.dataclass
class GameConfig(Part):
    """What every game is configured by; a game adds its own fields.

    Attributes:
        discriminator_steps: Updates of the discriminator, each on new images, in a step.
    """

    slot: ClassVar[str] = "game"

    discriminator_steps: int = 1

    def problems(self) -> Iterator[str]:
        yield from checks.at_least(self, "game", 1, ("discriminator_steps",))

    def problems_with(self, model: FamilyConfig) -> Iterator[str]:
        """Why networks of a family cannot play this game, a sentence for each reason; by default all can.

        Args:
            model: The configuration of the networks.
        """
        del model
        yield from ()

    def lazy_interval(self, network: str) -> Fraction:
        """How many main updates a network has for each one of its lazy phases; 0, the default: it has no lazy phase.

        Adam then makes (interval + 1) updates in the place of `interval`, and its rate and decays are corrected for
        that (Karras et al. 2020, arXiv:1912.04958, appendix B).

        Args:
            network: "generator" or "discriminator".
        """
        del network
        return Fraction(0)

    def build(self) -> "Game":
        """The game itself."""
        raise NotImplementedError(f"{type(self).__name__} must define build().")


@dataclasses.dataclass
class AugmentationConfig(Part):
    """What every augmentation is configured by; an augmentation adds its own fields."""

    slot: ClassVar[str] = "augmentation"

    def build(self) -> "Augmentation | None":
        """The augmentation itself; None: the discriminator sees images as they are."""
        raise NotImplementedError(f"{type(self).__name__} must define build().")


@dataclasses.dataclass
class ClassifierConfig(Part):
    """What every classifier that helps the discriminator is configured by; `config.classifiers` has them."""

    slot: ClassVar[str] = "classifier"


def kinds(slot: str) -> tuple[str, ...]:
    """The names of a slot's members."""
    return tuple(PARTS[slot])


def load(slot: str, kind: str) -> Any:
    """The class or function that a slot has under a name; it is imported here.

    Raises:
        ValueError: If there is no such member.
    """
    if kind not in PARTS[slot]:
        raise ValueError(
            f"{slot} must be one of {', '.join(PARTS[slot])}. Received: {kind!r}; {checks.nearest(kind, PARTS[slot])}"
        )
    return imported(PARTS[slot][kind])


def imported(place: str) -> Any:
    """What stands at "module:name"; the module is imported here."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def default(slot: str, kind: str) -> Callable[[], Any]:
    """A factory of a member with its default numbers, for a dataclass field."""
    return lambda: load(slot, kind)()
