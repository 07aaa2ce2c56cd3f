"""The numbers of the game of networks that enlarge images."""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks, parts
from biggan_tf.config.parts import FamilyConfig, GameConfig

if TYPE_CHECKING:
    from biggan_tf.games.restoration import RestorationGame

_WEIGHTS = ("l1", "l2", "features", "adversarial")


@dataclasses.dataclass
class RestorationConfig(GameConfig):
    """Pixels, features and a game of any kind (`games.restoration`).

    A weight that has a final one moves to it along a straight line over the first `schedule_images` images seen, which
    are counted from the end of the warm-up. With `adversarial` and `final_adversarial` 0 there is no discriminator to
    train, and the whole training is one of pixels and features alone.

    Attributes:
        discriminator_steps: Follows from `game`: as many as it has, or 1 without an adversarial weight.
        game: The game that G plays against D.
        l1: The weight of E|y - G(x)|.
        l2: The weight of E(y - G(x))^2.
        features: The weight of the distance between the feature maps of both images, see `contracts.feature_maps`; with
            0 here and no `final_features` above 0, the network of the features is not loaded.
        adversarial: The weight of G's loss in the game. D's losses are the game's own.
        final_l1: The weight `l1` at the end of the schedule; None, the default: it stays.
        final_l2: The weight `l2` at the end of the schedule; None, the default: it stays.
        final_features: The weight `features` at the end of the schedule; None, the default: it stays.
        final_adversarial: The weight `adversarial` at the end of the schedule; None, the default: it stays.
        schedule_images: After how many images seen the final weights are reached.
        warmup_steps: In so many steps at the beginning G is trained on pixels alone (`l1` and `l2`), and D not at all.
            The images of the warm-up do not count as seen.
        feature_maps: "module:name" of the function of a path that loads the feature maps: `efficientnet_lite0`, or
            `inception_2015` of the same module.
        feature_maps_path: The file of their weights; "": those in the installed package, which Inception's are not in.
    """

    kind: ClassVar[str] = "restoration"

    game: GameConfig = dataclasses.field(default_factory=parts.default("game", "relativistic"))
    l1: float = 1.0
    l2: float = 0.0
    features: float = 0.0
    adversarial: float = 0.01
    final_l1: float | None = None
    final_l2: float | None = None
    final_features: float | None = None
    final_adversarial: float | None = None
    schedule_images: int = 0
    warmup_steps: int = 0
    feature_maps: str = "biggan_tf.evaluation.extractors.feature_maps:efficientnet_lite0"
    feature_maps_path: str = ""

    def __post_init__(self) -> None:
        # `Config.images_per_step` and the costs read the field of the run's own game, which is this object.
        self.discriminator_steps = self._steps_of_game

    @property
    def _steps_of_game(self) -> int:
        return self.game.discriminator_steps if self.is_adversarial else 1

    @property
    def is_adversarial(self) -> bool:
        """Whether there is a discriminator to train."""
        return self.adversarial > 0 or bool(self.final_adversarial)

    @property
    def uses_features(self) -> bool:
        """Whether features are compared at any time."""
        return self.features > 0 or bool(self.final_features)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from _of_inner_game(self.game.problems())
        yield from checks.at_least(self, "game", 0, (*_WEIGHTS, "schedule_images", "warmup_steps"))
        finals = [name for name in _WEIGHTS if getattr(self, f"final_{name}") is not None]
        yield from checks.at_least(self, "game", 0, [f"final_{name}" for name in finals])
        if finals and not self.schedule_images:
            yield (
                f"game.schedule_images must be at least 1 with game.final_{finals[0]}. Received: 0; give the number of "
                "images after which it is reached."
            )
        if self.discriminator_steps != self._steps_of_game:
            yield (
                f"game.discriminator_steps must be {self._steps_of_game}, as many as game.game has (1 without an "
                f"adversarial weight). Received: {self.discriminator_steps}; set it so."
            )
        if isinstance(self.game, RestorationConfig):
            yield "game.game must be another game than restoration. Received: restoration; choose relativistic."
        if self.uses_features and self.feature_maps.endswith(":inception_2015") and not self.feature_maps_path:
            yield (
                "game.feature_maps_path must name the file of the weights of game.feature_maps, which are not in the "
                "package. Received: none; for Inception it is pt_inception-2015-12-05-6726825d.pth."
            )
        if self.warmup_steps and not self.l1 and not self.l2:
            yield (
                "game.l1 or game.l2 must be above 0 with game.warmup_steps, in which nothing else is trained. "
                "Received: 0 and 0; give a weight, or set warmup_steps to 0."
            )

    def problems_with(self, model: FamilyConfig) -> Iterator[str]:
        if model.enlargement == 1:
            yield (
                "game restoration needs a model that is given a small image, such as super_resolution. Received: model "
                f"{model.kind}; choose another game."
            )
            return
        yield from _of_inner_game(self.game.problems_with(model))

    def lazy_interval(self, network: str) -> Fraction:
        return self.game.lazy_interval(network) if self.is_adversarial else Fraction(0)

    def build(self) -> "RestorationGame":
        from biggan_tf.games.restoration import RestorationGame

        return RestorationGame(self)


def _of_inner_game(problems: Iterable[str]) -> Iterator[str]:
    """The problems of a game whose place in the configuration is `game.game`: each names fields and kinds from `game`.

    Args:
        problems: What the game says of itself, such as "game.r1_gamma must be at least 0" or "choose game hinge".
    """
    kinds = "|".join(parts.kinds("game"))
    for problem in problems:
        yield re.sub(rf"(?<![\w.])game(?=\.\w| (?:{kinds})\b)", "game.game", problem)
