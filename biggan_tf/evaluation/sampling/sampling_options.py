"""How a loaded generator is sampled, as the commands `biggan_tf.evaluate` and `biggan_tf.sample` are told by flags."""

from __future__ import annotations

import dataclasses

from biggan_tf.evaluation.sampling import standing_statistics
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator


@dataclasses.dataclass(frozen=True)
class SamplingOptions:
    """How images are generated.

    Attributes:
        truncation: Threshold or scale of the latents, or psi of the styles where the family truncates these; None:
            neither is truncated.
        method: What a truncation of latents means: "resampling", "hub" or "scaling", see `latents.truncated_normal`.
        standing_passes: How many passes standing statistics are averaged over; 0: the moments of training are used.
        standing_batch_size: Images in each of these passes.
        seed: Decides latents and labels.
        batch_size: How many images are computed at a time.
        weights: "ema" or "raw", for the protocol.
        frequencies: How often each class is drawn, in any unit; None: all are equally likely.
        cutoff: How many of the first layers' styles are truncated; None: as the family's configuration says.
        as_served: As in `GeneratorSampler`.

    Example:
        >>> options = SamplingOptions(truncation=0.5, standing_passes=100)
        >>> options.prepare(loaded, options.truncation)
        >>> images = options.sampler(loaded).batches(1000)
    """

    truncation: float | None = None
    method: str = "resampling"
    standing_passes: int = 0
    standing_batch_size: int = 64
    seed: int = 0
    batch_size: int = 32
    weights: str = "ema"
    frequencies: tuple[int, ...] | None = None
    cutoff: int | None = None
    as_served: bool = False

    def sampler(self, loaded: LoadedGenerator) -> GeneratorSampler:
        """The sampler at the truncation of these options."""
        standing = f"standing {self.standing_passes} x {self.standing_batch_size}"
        return GeneratorSampler(
            loaded.generator,
            truncation=self.truncation,
            method=self.method,
            prior=loaded.prior,
            seed=self.seed,
            batch_size=self.batch_size,
            weights=self.weights,
            batch_norm=standing if self.standing_passes else "running",
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
        if self.standing_passes:
            standing_statistics.measure_and_apply(
                loaded.generator,
                truncation,
                method=self.method,
                prior=loaded.prior,
                num_passes=self.standing_passes,
                batch_size=self.standing_batch_size,
                frequencies=self.frequencies,
            )
