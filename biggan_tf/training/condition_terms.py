"""Adds the terms of a condition to the loss of a game's phase."""

from __future__ import annotations

from biggan_tf.contracts.condition import Condition
from biggan_tf.contracts.game import FakeBatch, Phase, RealBatch
from biggan_tf.training.round import TrainingRound
from biggan_tf.types import Scalar, Scalars


def with_condition(
    condition: Condition | None, phase: Phase, round_: TrainingRound, loss: Scalar, scalars: Scalars
) -> tuple[Scalar, Scalars]:
    """The loss and the scalars of a phase with those of a condition, where the phase has what the condition looks at.

    Args:
        condition: The condition; None: nothing is added.
        phase: The phase.
        round_: The round that the loss of the phase was computed with.
        loss: That loss.
        scalars: Its scalars.
    """
    # A phase on images that D was just trained on takes penalties alone.
    if condition is None or phase.same_data:
        return loss, scalars
    real, fake = round_.first_judged(RealBatch), round_.first_judged(FakeBatch)
    added = None
    if phase.trains == "generator" and fake is not None:
        added = condition.generator_term(round_, fake)
    if phase.trains == "discriminator" and real is not None and fake is not None:
        added = condition.discriminator_term(round_, real, fake)
    if added is None:
        return loss, scalars
    return loss + added[0], {**scalars, **added[1]}
