"""All penalties of D that a configuration names, taken in as few calls of D as they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
from keras import ops

from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.game import Batch, Round
from biggan_tf.games.consistency import changed, consistency
from biggan_tf.games.lecam import LogitAverages
from biggan_tf.games.penalties import (
    slope_penalty,
    squared_gradients_around,
    squared_gradients_between,
    with_squared_gradients,
)
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.games.top_k import mean_of_highest
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import Logits, Scalar, Scalars

_NAMES = {"real": "r1", "fake": "r2"}  # of the penalties on D's gradient, by where it is taken
# Those that need D's answers to fakes.
_OF_JUDGED_FAKES = ("r2", "lecam", "fake_consistency", "latent_consistency")
# Those that need fakes for points between them and real images, at which alone D is asked.
_BETWEEN = ("gradient_penalty", "max_gradient_penalty")


class Judged(NamedTuple):
    """D's answers with the penalties that were due.

    Attributes:
        batches: The batches that D judged, with its answers, by name: "real", and in the main phase "fake". A lazy
            phase has "fake" only where a penalty looks at D's answers to fakes. What a consistency penalty judged
            besides is "changed_real", "changed_fake" and "near".
        penalty: The weighted sum of the penalties.
        scalars: Each penalty without its weight, by name.
    """

    batches: Mapping[str, JudgedBatch]
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

    def takes(self, name: str, every: int, weight: Scalar | float | None = None) -> bool:
        """Whether a penalty is taken in the phase of an interval.

        Args:
            name: The penalty.
            every: The interval; 1 is D's main phase.
            weight: The weight; None: the configuration's. A scheduled weight is a tensor, which may have any value.
        """
        weight = getattr(self.config, name) if weight is None else weight
        is_taken = not isinstance(weight, int | float) or weight > 0
        return is_taken and self.config.every(name) == every

    def needs_fakes(self, every: int, r2: Scalar | float) -> bool:
        """Whether the phase of an interval needs fakes; the main phase always does.

        Args:
            every: The interval; 1 is D's main phase.
            r2: The weight of R2 in this round.
        """
        return self._judges_fakes(every, r2) or any(self.takes(name, every) for name in _BETWEEN)

    def _judges_fakes(self, every: int, r2: Scalar | float) -> bool:
        return every == 1 or any(self.takes(name, every, r2 if name == "r2" else None) for name in _OF_JUDGED_FAKES)

    def judged(
        self,
        round_: Round,
        real: Batch,
        fake: Batch | None,
        near: Batch | None,
        gradient_weights: tuple[Scalar | float, Scalar | float],
        every: int = 1,
        change: Callable[[Batch], Batch] | None = None,
    ) -> Judged:
        """Judges real images, and fakes where the phase needs them, and takes the penalties of one interval.

        Args:
            round_: The round of D's phase whose loss the penalties belong to.
            real: The real images.
            fake: The fakes; None: the phase does without, see `needs_fakes`.
            near: Fakes of neighbouring latents, for latent consistency; None: it is not taken.
            gradient_weights: The weights of R1 and R2 in this round.
            every: The interval; 1, the default: those that are taken in every update.
            change: What is done to each batch in front of D, through which gradients pass; None: nothing.
        """
        judged_fake = fake if self._judges_fakes(every, gradient_weights[1]) else None
        # Fakes first, real images second, in one call: spectral norm's u advances once (arXiv:1809.11096, appendix C).
        batches = {} if judged_fake is None else {"fake": judged_fake}
        batches |= {"real": real, **self._changed(round_, real, judged_fake, near, every)}
        names = list(batches)
        weights = {"real": gradient_weights[0], "fake": gradient_weights[1]}
        at = [name for name in ("real", "fake") if self.takes(_NAMES[name], every, weights[name])]
        judgements, squares = with_squared_gradients(
            round_, list(batches.values()), [names.index(name) for name in at], change
        )
        logits = {name: judgement.logits for name, judgement in zip(names, judgements, strict=True)}
        # gamma / 2 E[|dD(x)/dx|^2] (arXiv:1801.04406, equations 9 and 10)
        taken = {
            _NAMES[name]: (0.5 * weights[name], ops.mean(square)) for name, square in zip(at, squares, strict=True)
        }
        config = self.config
        taken.update(self._slopes(round_, real, fake, every, change))
        taken.update(self._consistency(logits))
        if self._averages is not None and self.takes("lecam", every):
            penalty = self._averages.penalty(logits["real"], logits["fake"], round_.images_seen)
            taken["lecam"] = (config.lecam, penalty)
        terms = [weighted(weight, penalty) for weight, penalty in taken.values()]
        total = sum(terms[1:], terms[0]) if terms else ops.zeros((), accumulation_dtype(logits["real"].dtype))
        answers = {
            name: JudgedBatch(batch, judgement)
            for (name, batch), judgement in zip(batches.items(), judgements, strict=True)
        }
        return Judged(answers, total, {name: penalty for name, (_, penalty) in taken.items()})

    def _slopes(
        self,
        round_: Round,
        real: Batch,
        fake: Batch | None,
        every: int,
        change: Callable[[Batch], Batch] | None,
    ) -> dict[str, tuple[Scalar | float, Scalar]]:
        """The weight and the value of each penalty on D's slope at other images than those that it judges."""
        config = self.config
        taken: dict[str, tuple[Scalar | float, Scalar]] = {}
        if fake is not None and any(self.takes(name, every) for name in _BETWEEN):
            squared = squared_gradients_between(round_, real, fake, change)
            if self.takes("gradient_penalty", every):
                penalty = slope_penalty(squared, config.gradient_penalty_centre)
                taken["gradient_penalty"] = (config.gradient_penalty, penalty)
            if self.takes("max_gradient_penalty", every):  # max_i |dD(y_i)/dy_i|^2
                taken["max_gradient_penalty"] = (config.max_gradient_penalty, mean_of_highest(squared, squared, 1))
        if self.takes("dragan", every):
            taken["dragan"] = (config.dragan, slope_penalty(squared_gradients_around(round_, real, change), 1.0))
        return taken

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

    def _changed(
        self, round_: Round, real: Batch, fake: Batch | None, near: Batch | None, every: int
    ) -> dict[str, Batch]:
        """The further images that consistency compares with."""
        batches = {}
        if fake is not None and self.takes("fake_consistency", every):
            batches["changed_fake"] = changed(round_, fake)
        if self.takes("consistency", every):
            batches["changed_real"] = changed(round_, real)
        if near is not None:
            batches["near"] = near
        return batches


def weighted(weight: Scalar | float, penalty: Scalar) -> Scalar:
    """A penalty times its weight, in the dtype of the penalty."""
    if isinstance(weight, int | float):
        return weight * penalty
    return ops.cast(weight, penalty.dtype) * penalty
