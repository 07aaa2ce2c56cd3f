"""Short trainings of a study: the package's own step on data that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float

from biggan_tf.config import Config
from biggan_tf.config.parts import FamilyConfig, GameConfig
from biggan_tf.contracts.game import Batch, Game, Phase
from biggan_tf.training import phases
from biggan_tf.training.gan import GAN, split


class OneNetworkGame:
    """A game of which one network's phases alone are played, so that the other network stays as it is.

    Args:
        game: The game.
        trains: The network that is trained.
    """

    def __init__(self, game: Game, trains: str):
        self._phases = [phase for phase in game.phases() if phase.trains == trains]

    def phases(self) -> Sequence[Phase]:
        """Those of the network that is trained."""
        return self._phases


def small_config(
    model: FamilyConfig, game: GameConfig, batch_size: int, learning_rates: tuple[float, float], seed: int = 0
) -> Config:
    """A configuration of a short training with Adam (beta_1 = 0, beta_2 = 0.99) and an EMA decay of 0.99.

    Args:
        model: The networks.
        game: What they play.
        batch_size: Real images in a micro-batch.
        learning_rates: The learning rates of the generator and of the discriminator.
        seed: The seed of everything random in the training.
    """
    config = Config(name="study", model=model, game=game)
    config.training.batch_size = batch_size
    config.training.seed = seed
    config.training.ema_decay = 0.99
    for numbers, rate in zip((config.training.generator, config.training.discriminator), learning_rates, strict=True):
        numbers.learning_rate, numbers.beta_1, numbers.beta_2 = rate, 0.0, 0.99
    return config


def new_gan(config: Config, game: Game | None = None) -> GAN:
    """A GAN whose first weights are decided by the seed of the configuration.

    Args:
        config: The configuration.
        game: What is played in the place of the configuration's game; None: that one.
    """
    keras.utils.set_random_seed(config.training.seed)
    return GAN(config, game=game)


class ShortTraining:
    """The step of a GAN on images in memory, compiled once.

    Args:
        gan: Is trained.
        images: The real images.
        compiled: Whether the step is compiled, by default; a few dozen steps are faster without.
    """

    def __init__(self, gan: GAN, images: Float[np.ndarray, "M H W 3"], compiled: bool = True):
        self.gan = gan
        self._data = tf.constant(images, tf.float32)
        self._read = max(phases.batches_read(gan.phases, 1), 1)
        self._rows = gan.config.training.batch_size
        self._run = tf.function(self._step) if compiled else self._step
        self._random = np.random.default_rng(gan.config.training.seed)

    def run(self, num_steps: int, every: int = 0, measure: Callable[[int], None] | None = None) -> dict[str, float]:
        """Trains.

        Args:
            num_steps: How many steps of the game are done.
            every: After how many steps `measure` is called, with the number of steps done; it is called before the
                first step and after the last one, too. 0: never.
            measure: Measures what the study asks for.

        Returns:
            What the last step reported, by name.
        """
        report: dict[str, tf.Tensor] = {}
        for number in range(num_steps):
            if measure is not None and every and number % every == 0:
                measure(number)
            chosen = self._random.integers(0, len(self._data), self._rows * self._read)
            report = self._run(tf.constant(chosen))
        if measure is not None and every:
            measure(num_steps)
        return {name: float(value) for name, value in report.items()}

    def _step(self, chosen: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = Batch(tf.gather(self._data, chosen), tf.zeros([self._rows * self._read], tf.int32))
        return self.gan.step(split(batch, self._read), self._rows)
