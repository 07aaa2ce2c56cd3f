"""The game of networks that enlarge images: any game, with losses of pixels and of features next to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
from keras import ops

from biggan_tf.config import ConfigError
from biggan_tf.config.parts import imported
from biggan_tf.contracts.feature_maps import FeatureMaps
from biggan_tf.contracts.game import GameWithState, Phase, Round
from biggan_tf.games.restoration_config import RestorationConfig
from biggan_tf.ops.map_distance import map_distance
from biggan_tf.ops.precision import widen
from biggan_tf.types import Images, Scalar, Scalars

Loss = Callable[[Round], tuple[Scalar, Scalars]]


def _load_maps(config: RestorationConfig) -> FeatureMaps:
    """The feature maps that a game compares.

    Raises:
        ConfigError: If their weights cannot be read.
    """
    try:
        maps: FeatureMaps = imported(config.feature_maps)(config.feature_maps_path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            [
                f"game.feature_maps_path must be the file of the weights of game.feature_maps={config.feature_maps}. "
                f"Received: {config.feature_maps_path!r}: {error}"
            ]
        ) from error
    return maps


class RestorationGame:
    """The phases of a game, in which G's loss is a weighted sum (Ledig et al. 2017, arXiv:1609.04802, equation 3).

        L_G = a L_game + l1 E|y - G(x)| + l2 E(y - G(x))^2 + f E d(y, G(x)),

    where x is the small image of y and d the distance of `ops.map_distance`. D's losses are the game's own. In the
    warm-up there is one phase, which trains G on pixels alone. Without an adversarial weight there is one phase after
    the warm-up; its loss is the sum without L_game, and D is not trained.

    Args:
        config: Its numbers.

    Raises:
        ConfigError: If the weights of its feature maps cannot be read.
    """

    def __init__(self, config: RestorationConfig):
        self.config = config
        self._game = config.game.build() if config.is_adversarial else None
        self._maps: FeatureMaps | None = None
        if config.uses_features:
            self._maps = _load_maps(config)

    def phases(self) -> list[Phase]:
        """The warm-up, and after it the phases of the game."""
        begin = self.config.warmup_steps
        phases = []
        if begin:
            phases.append(Phase("generator", self.warmup_loss, name="warmup", until_step=begin))
        if self._game is None:
            return [*phases, Phase("generator", self.restoration_loss, from_step=begin, counts_images=True)]
        for phase in self._game.phases():
            loss = phase.loss
            if phase.trains == "generator":
                # A lazy phase of G is a penalty of its own, to which pixels add nothing.
                loss = self._joined(loss) if phase.every == 1 else self._weighted(loss)
            phases.append(phase._replace(loss=loss, from_step=begin))
        return phases

    def state(self) -> Mapping[str, keras.Variable]:
        """The variables of the game."""
        return self._game.state() if isinstance(self._game, GameWithState) else {}

    def warmup_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss of pixels alone, with the weights that the schedule begins with."""
        real, fake = round_.real_batch().images, round_.generate().images
        l1, l2 = _pixel_distances(real, fake)
        return self.config.l1 * l1 + self.config.l2 * l2, {"l1": l1, "l2": l2}

    def restoration_loss(self, round_: Round) -> tuple[Scalar, Scalars]:
        """G's loss without a game."""
        return self._restoration(round_, round_.generate().images)

    def _joined(self, loss: Loss) -> Loss:
        """G's loss in the game, weighted, with the terms of pixels and features of the same fakes."""
        weighted = self._weighted(loss)

        def joined(round_: Round) -> tuple[Scalar, Scalars]:
            value, scalars = weighted(round_)
            if round_.fakes is None:
                raise ValueError("A game's loss of the generator must generate images. Received: a loss of none.")
            added, further = self._restoration(round_, round_.fakes)
            return value + added, {**scalars, **further}

        return joined

    def _weighted(self, loss: Loss) -> Loss:
        def weighted(round_: Round) -> tuple[Scalar, Scalars]:
            value, scalars = loss(round_)
            return self._weight("adversarial", round_) * value, {**scalars, "g_game": value}

        return weighted

    def _restoration(self, round_: Round, fake: Images) -> tuple[Scalar, Scalars]:
        """The terms of pixels and features."""
        real = round_.real_batch().images
        l1, l2 = _pixel_distances(real, fake)
        loss = self._weight("l1", round_) * l1 + self._weight("l2", round_) * l2
        scalars = {"l1": l1, "l2": l2}
        if self._maps is not None:
            distance = ops.mean(map_distance(self._maps(real), self._maps(fake)))
            scalars["map_distance"] = ops.cast(distance, loss.dtype)
            loss = loss + self._weight("features", round_) * scalars["map_distance"]
        return loss, scalars

    def _weight(self, name: str, round_: Round) -> Scalar | float:
        """A weight of the loss, w + (w_final - w) min(images seen / schedule, 1)."""
        first, final = getattr(self.config, name), getattr(self.config, f"final_{name}")
        if final is None:
            return float(first)
        dtype = widen(round_.real_batch().images).dtype
        share = ops.cast(round_.images_seen, dtype) / self.config.schedule_images
        return first + (final - first) * ops.minimum(share, ops.ones_like(share))


def _pixel_distances(real: Images, fake: Images) -> tuple[Scalar, Scalar]:
    """E|y - G(x)| and E(y - G(x))^2, of images in [-1, 1]."""
    difference = widen(real) - widen(fake)
    return ops.mean(ops.abs(difference)), ops.mean(ops.square(difference))
