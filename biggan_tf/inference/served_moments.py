"""The moments that a generator's batch norms are served with, so that Python and commands draw what a server answers.

An export holds standing statistics at a few truncations and interpolates between them. The same ones are used here,
and those that nobody has measured yet are measured when a truncation first needs them.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from biggan_tf import latents
from biggan_tf.config import truncation as served
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import layers_of
from biggan_tf.inference import batch_norm_moments, standing_statistics
from biggan_tf.inference.standing_statistics import StandingStatistics
from biggan_tf.layers.batch_norm import BatchNorm


@dataclasses.dataclass(frozen=True)
class StandingPlan:
    """At which truncations standing statistics are measured, and how.

    Attributes:
        truncations: In even steps from 0 to 1; between two of them moments are interpolated.
        method: What a truncation of latents means, see `latents.truncated_normal`.
        num_passes: How many forward passes are averaged for each truncation.
        batch_size: Images in each of these passes.
    """

    truncations: tuple[float, ...] = served.SERVED_TRUNCATIONS
    method: str = "resampling"
    num_passes: int = served.STANDING_PASSES
    batch_size: int = served.STANDING_BATCH_SIZE

    def neighbours(self, truncation: float) -> tuple[float, ...]:
        """The one or two truncations that a truncation from 0 to 1 is interpolated from."""
        below = max(t for t in self.truncations if t <= truncation)
        above = min(t for t in self.truncations if t >= truncation)
        return (below,) if below == above else (below, above)


def plan_of(generator: Generator) -> StandingPlan:
    """How an export measures a generator unless it is told otherwise."""
    return StandingPlan(method=latents.served_method(generator.config.prior))


def has_served_moments(generator: Generator) -> bool:
    """Whether an export gives a generator other moments than it holds.

    It does to one that draws from latents and whose batch norms hold one set of moments.
    """
    if generator.config.enlargement > 1:
        return False
    norms = layers_of(generator, BatchNorm).values()
    return any(norm.options.num_statistics == 1 for norm in norms)


class ServedMoments:
    """The moments of one generator at each truncation that a server takes.

    Args:
        generator: Has the weights to draw with. Without batch norms nothing is ever measured or replaced.
        plan: How the moments are measured; None: as `plan_of` says.
        known: What was measured before by this plan; None: nothing.
        keep: Is called with all that is known whenever something was measured; None: it is forgotten with this object.
        progress: Whether a bar tells how far a measurement is; not by default.

    Example:
        >>> moments = ServedMoments(generator)
        >>> with moments.at(0.5):  # measured now, and known from then on
        ...     images = generator(inputs)
    """

    def __init__(
        self,
        generator: Generator,
        plan: StandingPlan | None = None,
        known: StandingStatistics | None = None,
        keep: Callable[[StandingPlan, StandingStatistics], None] | None = None,
        progress: bool = False,
    ):
        self.plan = plan or plan_of(generator)
        self.known = known
        self._generator = generator
        self._keep = keep
        self._progress = progress
        self._applies = has_served_moments(generator)
        self._of_training = batch_norm_moments.moments_of(generator) if self._applies else {}

    def holds(self, truncation: float | None) -> bool:
        """Whether a server draws with other moments than those of training at a truncation; None: no truncation.

        A server takes no truncation of latents above 1, and has none for latents that are not truncated.
        """
        return self._applies and truncation is not None and 0.0 <= truncation <= 1.0

    def apply(self, truncation: float | None) -> None:
        """Gives the generator the moments that it is served with, or those of training where `holds` says no."""
        if not self._applies:
            return
        if truncation is None or not self.holds(truncation):
            batch_norm_moments.assign_moments(self._generator, self._of_training)
            return
        self._measured(self.plan.neighbours(truncation)).apply(self._generator, truncation)

    @contextlib.contextmanager
    def at(self, truncation: float | None) -> Iterator[None]:
        """Inside, the generator has the moments of a truncation, and afterwards those that it had before."""
        if not self.holds(truncation):
            yield
            return
        before = batch_norm_moments.moments_of(self._generator)
        self.apply(truncation)
        try:
            yield
        finally:
            batch_norm_moments.assign_moments(self._generator, before)

    def grid(self) -> StandingStatistics:
        """The moments at all truncations of the plan."""
        return self._measured(self.plan.truncations)

    def _measured(self, truncations: tuple[float, ...]) -> StandingStatistics:
        known = self.known
        missing = [t for t in truncations if known is None or t not in known.truncations]
        if not missing and known is not None:
            return known
        measured = standing_statistics.measure(
            self._generator,
            missing,
            method=self.plan.method,
            num_passes=self.plan.num_passes,
            batch_size=self.plan.batch_size,
            progress=self._progress,
        )
        self.known = measured if known is None else known.with_rows_of(measured)
        if self._keep is not None:
            self._keep(self.plan, self.known)
        return self.known
