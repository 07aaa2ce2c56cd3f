"""The numbers of each game."""

import dataclasses
from collections.abc import Collection, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import FamilyConfig, GameConfig
from biggan_tf.games.penalties_config import PenaltiesConfig

if TYPE_CHECKING:
    from biggan_tf.games.adversarial import AdversarialGame
    from biggan_tf.games.multi_hinge import MultiHingeGame
    from biggan_tf.games.r3gan import R3GANGame
    from biggan_tf.games.relativistic import RelativisticGame
    from biggan_tf.games.stylegan2 import StyleGAN2Game
    from biggan_tf.games.wasserstein_gp import WassersteinGPGame


@dataclasses.dataclass
class AdversarialConfig(GameConfig):
    """What the games of two networks share (`games.two_player`).

    Attributes:
        weighed_by_game: Penalties of D that the game itself weighs, so that their weights in `penalties` must be 0.
        discriminator_steps: Updates of D in a step. BigGAN takes 2 (Brock et al. 2018, arXiv:1809.11096).
        generator_steps: Updates of G in a step, which come after D's.
        orthogonal_strength: The weight beta of the orthogonal regularisation of G (arXiv:1809.11096, equation 3), 1e-4
            in BigGAN; 0: there is none.
        penalties: The weights and intervals of further terms of both losses, of the penalties on D above all.
        top_k_share: G learns from the fakes with the highest logits alone; their share falls to this one
            (arXiv:2002.06224). 1: G learns from all.
        top_k_decay: The factor by which the share falls after each epoch.
        top_k_epoch_images: How many real images are an epoch.
    """

    weighed_by_game: ClassVar[tuple[str, ...]] = ()

    discriminator_steps: int = 2
    generator_steps: int = 1
    orthogonal_strength: float = 1e-4
    penalties: PenaltiesConfig = dataclasses.field(default_factory=PenaltiesConfig)
    top_k_share: float = 1.0
    top_k_decay: float = 0.99
    top_k_epoch_images: int = 50_000

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, "game", 0, ("orthogonal_strength",))
        yield from checks.at_least(self, "game", 1, ("generator_steps", "top_k_epoch_images"))
        for name in ("top_k_share", "top_k_decay"):
            if not 0.0 < getattr(self, name) <= 1.0:
                yield f"game.{name} must be above 0 and at most 1. Received: {getattr(self, name)}; 1 keeps all fakes."
        yield from self.penalties.problems()

    @property
    def penalty_intervals(self) -> tuple[int, ...]:
        """The intervals above 1 of the penalties that are taken; D has a lazy phase for each."""
        return self.penalties.intervals(self.weighed_by_game)

    def lazy_interval(self, network: str) -> Fraction:
        if network == "generator":
            return Fraction(0)
        return updates_for_each_lazy_one(self.penalty_intervals, self.discriminator_steps)


def updates_for_each_lazy_one(intervals: Collection[int], repeats: int) -> Fraction:
    """How many main updates a network has for each update of its lazy phases, 1 / sum_i 1 / (n k_i); 0 without any.

    Args:
        intervals: Every how many steps each of its lazy phases comes, k_i.
        repeats: How many main updates it has in a step, n.
    """
    lazy = sum((Fraction(1, repeats * every) for every in intervals), Fraction(0))
    return 1 / lazy if lazy else lazy


@dataclasses.dataclass
class HingeConfig(AdversarialConfig):
    """The hinge game, which BigGAN plays (arXiv:1809.11096)."""

    kind: ClassVar[str] = "hinge"

    def build(self) -> "AdversarialGame":
        from biggan_tf.games.hinge import HingeGame

        return HingeGame(self)


@dataclasses.dataclass
class NonSaturatingConfig(AdversarialConfig):
    """The non-saturating game of Goodfellow et al. 2014."""

    kind: ClassVar[str] = "non_saturating"

    def build(self) -> "AdversarialGame":
        from biggan_tf.games.non_saturating import NonSaturatingGame

        return NonSaturatingGame(self)


@dataclasses.dataclass
class LeastSquaresConfig(AdversarialConfig):
    """The least-squares game (arXiv:1611.04076)."""

    kind: ClassVar[str] = "least_squares"

    def build(self) -> "AdversarialGame":
        from biggan_tf.games.least_squares import LeastSquaresGame

        return LeastSquaresGame(self)


@dataclasses.dataclass
class WassersteinConfig(AdversarialConfig):
    """The Wasserstein game (arXiv:1701.07875).

    Attributes:
        weight_limit: The largest size of a weight of D, to which it is clipped after each update; 0: none is clipped,
            and a gradient penalty has to bound D's slope.
    """

    kind: ClassVar[str] = "wasserstein"

    weight_limit: float = 0.01

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, "game", 0, ("weight_limit",))

    def problems_with(self, model: FamilyConfig) -> Iterator[str]:
        if self.weight_limit and model.divides_kernels:
            yield (
                f"game.weight_limit must be 0 with model {model.kind}, whose discriminator divides its kernels by "
                f"their norm, so that clipping them bounds nothing. Received: {self.weight_limit}; set it to 0."
            )

    def build(self) -> "AdversarialGame":
        from biggan_tf.games.wasserstein import WassersteinGame

        return WassersteinGame(self)


@dataclasses.dataclass
class RelativisticConfig(AdversarialConfig):
    """The relativistic game of pairs (arXiv:1807.00734), whose G looks at real images, too."""

    kind: ClassVar[str] = "relativistic"

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        penalties = self.penalties
        if self.top_k_share < 1.0 or penalties.latent_spread or penalties.feature_matching:
            yield (
                f"game.top_k_share must be 1, game.penalties.latent_spread and feature_matching 0 in the {self.kind} "
                f"game, whose G has no loss of a fake by itself. Received: {self.top_k_share}, "
                f"{penalties.latent_spread} and {penalties.feature_matching}; choose another game."
            )

    def build(self) -> "RelativisticGame":
        from biggan_tf.games.relativistic import RelativisticGame

        return RelativisticGame(self)


@dataclasses.dataclass
class RelativisticAverageConfig(RelativisticConfig):
    """The relativistic average game (arXiv:1807.00734)."""

    kind: ClassVar[str] = "relativistic_average"

    def build(self) -> "RelativisticGame":
        from biggan_tf.games.relativistic_average import RelativisticAverageGame

        return RelativisticAverageGame(self)


@dataclasses.dataclass
class R3GANGameConfig(RelativisticConfig):
    """Relativistic pairs with R1 and R2 of one weight, R3GAN's (arXiv:2501.05441).

    Attributes:
        gamma: The weight of both penalties at the start. The authors take 0.05 for CIFAR-10 and 150 for FFHQ at 256.
        final_gamma: The weight at the end, reached along half a cosine; None: it stays.
        schedule_images: After how many images it is reached.
    """

    kind: ClassVar[str] = "r3gan"
    weighed_by_game: ClassVar[tuple[str, ...]] = ("r1", "r2")

    discriminator_steps: int = 1
    orthogonal_strength: float = 0.0
    gamma: float = 0.05
    final_gamma: float | None = None
    schedule_images: int = 0

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, "game", 0, ("gamma", "schedule_images"))
        if self.final_gamma is not None:
            yield from checks.at_least(self, "game", 0, ("final_gamma",))
            if not self.schedule_images:
                yield (
                    "game.schedule_images must be at least 1 with game.final_gamma. Received: 0; give the number of "
                    "images after which it is reached."
                )
        if self.penalties.r1 or self.penalties.r2:
            yield (
                "game.penalties.r1 and game.penalties.r2 must be 0 in the r3gan game, whose game.gamma weighs both. "
                f"Received: {self.penalties.r1} and {self.penalties.r2}; set game.gamma, or choose game relativistic."
            )

    def build(self) -> "R3GANGame":
        from biggan_tf.games.r3gan import R3GANGame

        return R3GANGame(self)


@dataclasses.dataclass
class StyleGAN2GameConfig(AdversarialConfig):
    """The non-saturating game with lazy regularisation of both networks, StyleGAN2's (arXiv:1912.04958).

    Intervals count steps, however many updates a step has: a network that is updated n times in a step has k n updates
    for each of a phase that comes every k steps, and that phase weighs k n times as much. The authors' n is 1.

    Attributes:
        r1_gamma: The weight gamma of R1, the penalty on D's gradient at real images; 0: none. Config F takes 10.
        r1_every: Every how many steps R1 is taken, with a weight as much larger, see above. 1: in every step, in an
            update of its own nonetheless.
        path_length_weight: The weight of the path length regularisation of G; 0: none, as for CIFAR-10.
        path_length_every: Every how many steps it is taken, likewise.
        path_length_decay: The share of a new mean length in the running mean.
        path_length_share: The share of a micro-batch's rows that it is taken on.
        style_mixing: The probability that a micro-batch has mixed styles; 0: none, as for CIFAR-10 and StyleGAN3.
        blur_sigma: The sigma, in pixels, of the blur (`ops.blur`) that D sees all images with at the beginning; 0: no
            blur. StyleGAN3-R takes 10, so that D does not look at details that G cannot draw yet.
        blur_fade_images: After how many real images sigma has fallen to 0, in proportion to them. The authors take
            6,250 for each image of the batch.
    """

    kind: ClassVar[str] = "stylegan2"

    discriminator_steps: int = 1
    orthogonal_strength: float = 0.0
    r1_gamma: float = 10.0
    r1_every: int = 16
    path_length_weight: float = 2.0
    path_length_every: int = 4
    path_length_decay: float = 0.01
    path_length_share: float = 0.5
    style_mixing: float = 0.9
    blur_sigma: float = 0.0
    blur_fade_images: int = 200_000

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, "game", 0, ("r1_gamma", "path_length_weight", "blur_sigma"))
        yield from checks.at_least(self, "game", 1, ("r1_every", "path_length_every", "blur_fade_images"))
        for name in ("path_length_decay", "path_length_share", "style_mixing"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0 or (value == 0.0 and name == "path_length_share"):
                yield f"game.{name} must be a share, at most 1. Received: {value}; 0.5 is a half."
        if self.r1_gamma and self.penalties.r1:
            yield (
                "game.r1_gamma or game.penalties.r1 must be 0 in the stylegan2 game, since both weigh R1. Received: "
                f"{self.r1_gamma} and {self.penalties.r1}; leave game.penalties.r1 out."
            )

    def problems_with(self, model: FamilyConfig) -> Iterator[str]:
        if model.num_styles == 1 and (self.path_length_weight or self.style_mixing):
            yield (
                f"game.path_length_weight and game.style_mixing must be 0 with model {model.kind}, whose layers have "
                f"no styles of their own. Received: {self.path_length_weight} and {self.style_mixing}; set both to 0."
            )

    def lazy_interval(self, network: str) -> Fraction:
        if network == "generator":
            intervals = [self.path_length_every] if self.path_length_weight else []
            return updates_for_each_lazy_one(intervals, self.generator_steps)
        intervals = [self.r1_every] if self.r1_gamma else []
        return updates_for_each_lazy_one([*intervals, *self.penalty_intervals], self.discriminator_steps)

    def build(self) -> "StyleGAN2Game":
        from biggan_tf.games.stylegan2 import StyleGAN2Game

        return StyleGAN2Game(self)


@dataclasses.dataclass
class WassersteinGPConfig(AdversarialConfig):
    """The Wasserstein game with a gradient penalty (arXiv:1704.00028), in the form of arXiv:1710.10196.

    Attributes:
        penalty_weight: Lambda of the penalty on the length of D's gradient between real images and fakes.
        penalty_target: The length that the penalty asks for.
        drift_weight: The weight of the mean square of D's answers to real images; it keeps these near 0.
        class_weight: The weight of the cross-entropy of the auxiliary classifier (arXiv:1610.09585), for discriminators
            that have a head "classes". With `model.condition` acgan, which has weights of its own, they have none.
    """

    kind: ClassVar[str] = "wasserstein_gp"

    discriminator_steps: int = 1
    orthogonal_strength: float = 0.0
    penalty_weight: float = 10.0
    penalty_target: float = 1.0
    drift_weight: float = 0.001
    class_weight: float = 1.0

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.at_least(self, "game", 0, ("penalty_weight", "drift_weight", "class_weight"))
        if self.penalty_target <= 0.0:
            yield f"game.penalty_target must be above 0. Received: {self.penalty_target}; the papers take 1."
        if self.penalty_weight and self.penalties.gradient_penalty:
            yield (
                "game.penalty_weight or game.penalties.gradient_penalty must be 0 in the wasserstein_gp game, since "
                "both weigh D's slope between real images and fakes. Received: "
                f"{self.penalty_weight} and {self.penalties.gradient_penalty}; set one of them to 0."
            )

    def build(self) -> "WassersteinGPGame":
        from biggan_tf.games.wasserstein_gp import WassersteinGPGame

        return WassersteinGPGame(self)


@dataclasses.dataclass
class MultiHingeConfig(AdversarialConfig):
    """The hinge game of K + 1 classes, the last of which are the fakes."""

    kind: ClassVar[str] = "multi_hinge"

    discriminator_steps: int = 1
    orthogonal_strength: float = 0.0

    def problems_with(self, model: FamilyConfig) -> Iterator[str]:
        if not model.has_class_head or not model.own_classes:
            yield (
                "game multi_hinge needs a discriminator with class logits, such as that of progan with classes and "
                f"model.condition projection. Received: model {model.kind} with {model.num_classes} classes and "
                f"model.condition {model.condition.kind}; choose game hinge."
            )

    def build(self) -> "MultiHingeGame":
        from biggan_tf.games.multi_hinge import MultiHingeGame

        return MultiHingeGame(self)
