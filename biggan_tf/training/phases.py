"""Runs the phases of a game, with and without accumulation of gradients.

It is the only interpreter of `contracts.game.Phase`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from biggan_tf.contracts.game import Batch, Phase

Part = TypeVar("Part")
Value = TypeVar("Value", covariant=True)


@runtime_checkable
class Player(Protocol[Part, Value]):
    """Whoever does the parts of a step, in the order in which `run_step` asks for them.

    `training.gan.GAN` does them on one replica, inside of one graph; `training.step_runner.MicroBatchCalls` does each
    in a compiled call on all replicas.
    """

    def gradients(self, phase: Phase, real: Batch | None, rows: int, number: int) -> Part:
        """Computes the gradients of a phase's loss on one micro-batch.

        Args:
            phase: The phase.
            real: The real images; None in a phase that reads none.
            rows: How many rows the micro-batch has on this replica.
            number: The number of the micro-batch in the step, from which its random numbers derive.
        """
        ...

    def update(self, phase: Phase, parts: Sequence[Part]) -> Mapping[str, Value]:
        """Updates the network of a phase with the mean of the gradients of its micro-batches.

        Args:
            phase: The phase.
            parts: What `gradients` returned for each micro-batch.

        Returns:
            Scalars to report, by name.
        """
        ...

    def end_step(self) -> Mapping[str, Value]:
        """Does what comes after the last phase; returns scalars to report, by name."""
        ...


def run_step(
    player: Player[Part, Value],
    phases: Sequence[Phase],
    accumulation_steps: int,
    rows: int,
    next_batch: Callable[[], Batch],
    step: int | None = None,
) -> dict[str, Value]:
    """Runs one step of a game.

    Args:
        player: Does the parts of the step.
        phases: The phases of the game, in order.
        accumulation_steps: Over how many micro-batches the gradients are averaged for one update.
        rows: How many rows a micro-batch has on this replica.
        next_batch: Returns the next micro-batch of real images; called in phases that read data alone.
        step: How many steps were done before, which decides whether a phase is due that does not run in every step;
            None: all phases are that do not end.

    Returns:
        The scalars that were reported, by name. Of a phase that is repeated, losses and `skipped` are means over its
        updates, `bad_gradient` is of one with such a gradient if there is one, and all else is of its last update.
    """
    report: dict[str, Value] = {}
    # Counts the micro-batches of all phases, also of those that are not due, so that the random numbers of a phase do
    # not depend on whether another one is due.
    number = 0
    read: list[Batch] = []  # The micro-batches of the latest update that read some.
    for phase in phases:
        micro_batches = range(accumulation_steps)
        if not is_due(phase, step):
            number += phase.repeats * accumulation_steps
            continue
        reports: list[Mapping[str, Value]] = []
        for _ in range(phase.repeats):
            if phase.reads_data and not phase.same_data:
                read = [next_batch() for _ in micro_batches]
            parts = []
            for index in micro_batches:
                parts.append(player.gradients(phase, read[index] if phase.reads_data else None, rows, number))
                number += 1
            reports.append(player.update(phase, parts))
        report.update(_over_repeats(reports))
    report.update(player.end_step())
    return report


def _over_repeats(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a phase reports of all its updates in a step, so that a NaN or a skipped update in any of them is seen.

    Args:
        reports: The scalars of each update, numbers or tensors, in order; at least one.
    """
    merged = dict(reports[-1])
    for name in merged if len(reports) > 1 else ():
        values = [report[name] for report in reports]
        if name.endswith(("_loss", "_skipped")):
            merged[name] = sum(values[1:], values[0]) / len(values)
        elif name.endswith("_bad_gradient"):
            merged[name] = functools.reduce(_larger, values)
    return merged


def _larger(one: Any, other: Any) -> Any:
    """max(one, other) = (one + other + |one - other|) / 2, because a graph cannot compare tensors as `max` does."""
    return (one + other + abs(one - other)) / 2


def is_due(phase: Phase, step: int | None) -> bool:
    """Whether a phase runs in the step before which `step` steps were done; None: every phase that does not end."""
    if step is None:
        return not phase.until_step
    return step % phase.every == 0 and step >= phase.from_step and (not phase.until_step or step < phase.until_step)


def batches_read(phases: Iterable[Phase], accumulation_steps: int, step: int | None = None) -> int:
    """How many micro-batches of real images a step reads.

    Args:
        phases: The phases of the game.
        accumulation_steps: Over how many micro-batches the gradients of an update are averaged.
        step: How many steps were done before; None: all phases are due that do not end.
    """
    due = (phase for phase in phases if is_due(phase, step))
    return sum(phase.repeats for phase in due if phase.reads_data and not phase.same_data) * accumulation_steps


def prefix(phase: Phase) -> str:
    """What the names of a phase's scalars begin with: "d_" or "g_", and the name of the phase if it has one."""
    letter = "d" if phase.trains == "discriminator" else "g"
    return f"{letter}_{phase.name}_" if phase.name else f"{letter}_"


def counts_images(phase: Phase) -> bool:
    """Whether the real images of a phase count as seen.

    They do if the discriminator is trained on new ones in every step, or the phase says so itself.
    """
    is_main = phase.reads_data and not phase.same_data and phase.every == 1
    return phase.counts_images or (phase.trains == "discriminator" and is_main)
