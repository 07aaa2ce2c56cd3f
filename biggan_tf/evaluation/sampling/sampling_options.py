"""How a loaded generator is sampled, as the commands `biggan_tf.evaluate` and `biggan_tf.sample` are told by flags."""

from __future__ import annotations

import dataclasses

from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.inference import standing_statistics
from biggan_tf.inference.served_moments import ServedMoments


@dataclasses.dataclass(frozen=True)
class SamplingOptions:
    """How images are generated.

    Attributes:
        truncation: Threshold or scale of the latents, or psi of the styles where the family truncates these; None:
            neither is truncated.
        method: What a truncation of latents means: "resampling", "hub" or "scaling", see `latents.truncated_normal`.
        standing_passes: How many passes standing statistics are averaged over, for the truncation that is sampled
            alone; 0: the moments of training are used; None: those that an export serves with, where a server draws at
            the truncation at all, so that the pictures are a server's.
        standing_batch_size: Images in each of these passes.
        seed: Decides latents and labels.
        batch_size: How many images are computed at a time.
        weights: "ema" or "raw", for the protocol.
        frequencies: How often each class is drawn, in any unit; None: all are equally likely.
        cutoff: How many of the first layers' styles are truncated; None: as the family's configuration says.
        as_served: Whether image number n has the latents and the noise that a server draws for the seed `seed` + n.

    Example:
        >>> options = SamplingOptions(truncation=0.5, standing_passes=100)
        >>> options.prepare(loaded, options.truncation)
        >>> images = options.sampler(loaded).batches(1000)
    """

    truncation: float | None = None
    method: str = "resampling"
    standing_passes: int | None = 0
    standing_batch_size: int = 64
    seed: int = 0
    batch_size: int = 32
    weights: str = "ema"
    frequencies: tuple[int, ...] | None = None
    cutoff: int | None = None
    as_served: bool = False

    def sampler(self, loaded: LoadedGenerator) -> GeneratorSampler:
        """The sampler at the truncation of these options."""
        return GeneratorSampler(
            loaded.generator,
            truncation=self.truncation,
            method=self.method,
            prior=loaded.prior,
            seed=self.seed,
            batch_size=self.batch_size,
            weights=self.weights,
            batch_norm=self._batch_norm(loaded),
            frequencies=self.frequencies,
            cutoff=self.cutoff,
            as_served=self.as_served,
        )

    def prepare(self, loaded: LoadedGenerator, truncation: float | None) -> None:
        """Replaces the generator's moments by standing statistics for a truncation, if these options ask for them.

        Args:
            loaded: Its generator is changed.
            truncation: The one that is sampled next; None: latents are not truncated.
        """
        moments = self._served_moments(loaded)
        if moments is not None:
            moments.apply(truncation)
        if self.standing_passes:
            standing_statistics.measure_and_apply(
                loaded.generator,
                truncation,
                method=self.method,
                prior=loaded.prior,
                num_passes=self.standing_passes,
                batch_size=self.standing_batch_size,
                frequencies=self.frequencies,
                progress=True,
            )

    def _served_moments(self, loaded: LoadedGenerator) -> ServedMoments | None:
        """The moments that an export serves this generator with, if these options ask for them and it has any.

        A server knows no other meaning of a truncation than its own.
        """
        moments = loaded.moments
        as_served = self.standing_passes is None and moments is not None and moments.plan.method == self.method
        return moments if as_served else None

    def _batch_norm(self, loaded: LoadedGenerator) -> str:
        """Whose moments the batch norms hold, for the protocol."""
        moments = self._served_moments(loaded)
        if moments is not None and moments.holds(self.truncation):
            return f"served {moments.plan.num_passes} x {moments.plan.batch_size}"
        return f"standing {self.standing_passes} x {self.standing_batch_size}" if self.standing_passes else "running"
