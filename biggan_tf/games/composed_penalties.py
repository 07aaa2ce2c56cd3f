"""All penalties of D that a configuration names, taken in as few calls of D as they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import keras
from keras import ops

from biggan_tf.contracts.game import Batch, Round
from biggan_tf.games.consistency import changed, consistency
from biggan_tf.games.lecam import LogitAverages
from biggan_tf.games.penalties import slope_penalty, squared_gradients_between, with_squared_gradients
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import Logits, Scalar, Scalars

_NAMES = {"real": "r1", "fake": "r2"}  # of the penalties on D's gradient, by where it is taken


class Judged(NamedTuple):
    """D's answers with the penalties that were due.

    Attributes:
        real: The logits of real images.
        fake: The logits of fakes.
        penalty: The weighted sum of the penalties.
        scalars: Each penalty without its weight, by name.
    """

    real: Logits
    fake: Logits
    penalty: Scalar
    scalars: Scalars


class ComposedPenalties:
    """Takes the penalties of a configuration.

    Args:
        config: Their weights.
    """

    def __init__(self, config: PenaltiesConfig):
        self.config = config
        self._averages = LogitAverages(config) if config.lecam else None

    def state(self) -> Mapping[str, keras.Variable]:
        """The moving averages of LeCam; empty without it."""
        return {} if self._averages is None else self._averages.state()

    def judged(
        self,
        round_: Round,
        real: Batch,
        fake: Batch,
        near: Batch | None,
        gradient_weights: tuple[Scalar | float, Scalar | float],
        lazily: bool = False,
    ) -> Judged:
        """Judges real images and fakes, and takes penalties.

        Args:
            round_: Of D's phase.
            real: The real images.
            fake: The fakes.
            near: Fakes of neighbouring latents, for latent consistency; None: it is not taken.
            gradient_weights: The weights of R1 and R2 in this round.
            lazily: Whether those penalties are taken that do not come in every step; False: those that do.
        """
        batches = {"fake": fake, "real": real}
        if not lazily:
            batches.update(self._changed(round_, real, fake, near))
        # Fakes first, real images second, in one call: spectral norm's u advances once (arXiv:1809.11096, appendix C).
        names = list(batches)
        weights = {"real": gradient_weights[0], "fake": gradient_weights[1]}
        at = [
            name for name, penalty in (("real", "r1"), ("fake", "r2")) if self._is_due(penalty, weights[name], lazily)
        ]
        answers, squares = with_squared_gradients(round_, list(batches.values()), [names.index(name) for name in at])
        logits = {name: answer.logits for name, answer in zip(names, answers, strict=True)}
        # gamma / 2 E[|dD(x)/dx|^2] (arXiv:1801.04406, equations 9 and 10)
        taken = {
            _NAMES[name]: (0.5 * weights[name], ops.mean(square)) for name, square in zip(at, squares, strict=True)
        }
        config = self.config
        if self._is_due("gradient_penalty", config.gradient_penalty, lazily):
            squared = squared_gradients_between(round_, real, fake)
            penalty = slope_penalty(squared, config.gradient_penalty_centre)
            taken["gradient_penalty"] = (config.gradient_penalty, penalty)
        if not lazily:
            taken.update(self._consistency(logits))
            if self._averages is not None:
                penalty = self._averages.penalty(logits["real"], logits["fake"], round_.images_seen)
                taken["lecam"] = (config.lecam, penalty)
        terms = [weighted(weight, penalty) for weight, penalty in taken.values()]
        total = sum(terms[1:], terms[0]) if terms else ops.zeros((), accumulation_dtype(logits["real"].dtype))
        return Judged(logits["real"], logits["fake"], total, {name: penalty for name, (_, penalty) in taken.items()})

    def _is_due(self, name: str, weight: Scalar | float, lazily: bool) -> bool:
        """Whether a penalty is taken here. A scheduled weight is a tensor, which may have any value."""
        is_taken = not isinstance(weight, int | float) or weight > 0
        return is_taken and (self.config.every(name) > 1) == lazily

    def _consistency(self, logits: dict[str, Logits]) -> dict[str, tuple[Scalar | float, Scalar]]:
        """The weight and the value of each consistency penalty."""
        weights = {
            "consistency": (self.config.consistency, "real", "changed_real"),
            "fake_consistency": (self.config.fake_consistency, "fake", "changed_fake"),
            "latent_consistency": (self.config.latent_consistency, "fake", "near"),
        }
        return {
            name: (weight, consistency(logits[one], logits[other]))
            for name, (weight, one, other) in weights.items()
            if other in logits
        }

    def _changed(self, round_: Round, real: Batch, fake: Batch, near: Batch | None) -> dict[str, Batch]:
        """The further images that consistency compares with."""
        batches = {}
        if self.config.fake_consistency:
            batches["changed_fake"] = changed(round_, fake)
        if self.config.consistency:
            batches["changed_real"] = changed(round_, real)
        if near is not None:
            batches["near"] = near
        return batches


def weighted(weight: Scalar | float, penalty: Scalar) -> Scalar:
    """A penalty times its weight, in the dtype of the penalty."""
    if isinstance(weight, int | float):
        return weight * penalty
    return ops.cast(weight, penalty.dtype) * penalty
