"""One round of a game whose images and whose discriminator a study gives, so that it plays the package's losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import tensorflow as tf

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch
from biggan_tf.contracts.generator import Styles
from biggan_tf.types import Images, LabelsOrImages, Latents, Tensor


class GivenRound:
    """A `contracts.game.Round` of given batches.

    Args:
        real: The real images.
        generate: Returns the fakes of the round.
        judge: The discriminator's answer to a batch.
    """

    def __init__(self, real: Batch, generate: Callable[[], Batch], judge: Callable[[Batch], Judgement]):
        self._real, self._generate, self._judge = real, generate, judge
        self.key = tf.zeros([2], tf.int64)
        self.images_seen = tf.zeros([], tf.int64)
        self.fakes: Images | None = None

    def real_batch(self) -> Batch:
        """The given real images."""
        return self._real

    def generate(self, labels: LabelsOrImages | None = None, latent_noise: float = 0.0) -> Batch:
        """The given fakes."""
        if labels is not None or latent_noise:
            self._refuse("labels or noise of its latents")
        batch = self._generate()
        self.fakes = batch.images
        return batch

    def discriminate(self, *batches: Batch) -> list[Judgement]:
        """The given discriminator's answers."""
        return [self._judge(batch) for batch in batches]

    def latents(self) -> Latents:
        """Is refused."""
        self._refuse("latents")

    def styles(self, mixing: float = 0.0, moves_state: bool = True, latent_noise: float = 0.0) -> Styles:
        """Is refused."""
        self._refuse("styles")

    def synthesise(self, styles: Styles, moves_state: bool = True) -> Batch:
        """Is refused."""
        self._refuse("styles")

    def random_normal(self, shape: Sequence[int]) -> Tensor:
        """Is refused."""
        self._refuse("random numbers")

    def random_uniform(self, shape: Sequence[int]) -> Tensor:
        """Is refused."""
        self._refuse("random numbers")

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        raise ValueError(
            f"A loss of a given round must ask for its images alone. Received: a loss that asks for {what}."
        )
