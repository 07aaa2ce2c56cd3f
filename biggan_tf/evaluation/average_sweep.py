"""Quality along the line from the weights being trained to their moving average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from biggan_tf.evaluation import feature_bank, metrics, standing_statistics
from biggan_tf.evaluation.features import FeatureExtractor
from biggan_tf.evaluation.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.image_sources import LoadedGenerator
from biggan_tf.evaluation.reference_statistics import ReferenceStatistics
from biggan_tf.networks import Generator

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_PASSES = 20


def blend(average: Generator, raw: Generator, share: float) -> Generator:
    """A generator whose weights lie `share` of the way from the raw ones to their average.

    A moving average with a shorter memory than the run's lies between the two; the straight line is the nearest to it
    that one checkpoint offers. The batch norms' moments belong to no mixture and must be measured anew.
    """
    result = Generator(average.model_config)
    for ours, first, second in zip(result.variables, raw.variables, average.variables, strict=True):
        ours.assign((1.0 - share) * np.asarray(first) + share * np.asarray(second))
    return result


def sweep(
    average: LoadedGenerator,
    raw: LoadedGenerator,
    reference: ReferenceStatistics,
    extractor: FeatureExtractor,
    num_samples: int,
    shares: Sequence[float] = SHARES,
) -> list[dict[str, float]]:
    """The distance, with its parts, for each share; standing statistics for all of them, so that they compare."""
    rows = []
    for share in shares:
        generator = blend(average.generator, raw.generator, share)
        measured = standing_statistics.measure(
            generator, [np.inf], prior=average.prior, num_passes=_PASSES, batch_size=32
        )
        measured.apply(generator, None)
        sampler: Any = GeneratorSampler(generator, prior=average.prior, batch_norm=f"standing {_PASSES} x 32")
        bank = feature_bank.collect(sampler.batches(num_samples), extractor, num_images=num_samples)
        rows.append({"share of the average": share, **metrics.compute(("fd",), reference, bank, extractor)})
    return rows
