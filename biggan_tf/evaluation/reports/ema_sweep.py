"""Quality along the line from the weights being trained to their exponential moving average (EMA)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.metrics import all_metrics as metrics
from biggan_tf.evaluation.metrics import feature_bank
from biggan_tf.evaluation.metrics.reference_statistics import ReferenceStatistics
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.inference import standing_statistics
from biggan_tf.inference.batch_norm_moments import copy_of, has_batch_norm

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_PASSES = 20
_PASS_SIZE = 32


def blend(ema: Generator, raw: Generator, share: float) -> Generator:
    """A new generator whose weights lie on the straight line between two others.

    A moving average with a shorter memory than the run's lies between the two, and the line is the nearest to it that
    one checkpoint offers. No blend of moments fits blended weights: measure the batch norms' moments afterwards.

    Args:
        ema: The moving average of the weights.
        raw: The weights being trained.
        share: 0: the result equals `raw`; 1: it equals `ema`.
    """
    result = copy_of(ema)
    for target, first, second in zip(result.weights, raw.weights, ema.weights, strict=True):
        target.assign((1.0 - share) * np.asarray(first) + share * np.asarray(second))
    return result


def sweep(
    ema: LoadedGenerator,
    raw: LoadedGenerator,
    reference: ReferenceStatistics,
    extractor: FeatureExtractor,
    num_samples: int,
    shares: Sequence[float] = SHARES,
    progress: bool = False,
) -> list[dict[str, float]]:
    """The Fréchet distance and its two parts for each blend of the two generators' weights.

    The classes come as often as among the real images.

    Args:
        ema: The moving average of the weights.
        raw: The weights being trained.
        reference: The real images to compare with.
        extractor: The network whose features are compared; the one that made `reference`.
        num_samples: Images of each blend.
        shares: See `blend`.
        progress: Whether bars tell how far each blend is; not by default.

    Returns:
        One row for each share: "share of the average" and the metrics by name. Where the generator has batch norms,
        all rows have standing statistics, so that they can be compared.
    """
    rows = []
    frequencies = reference.class_frequencies(ema.generator.config.num_classes)
    for share in shares:
        generator = blend(ema.generator, raw.generator, share)
        if has_batch_norm(generator):
            standing_statistics.measure_and_apply(
                generator,
                None,
                prior=ema.prior,
                num_passes=_PASSES,
                batch_size=_PASS_SIZE,
                frequencies=frequencies,
                progress=progress,
            )
        sampler = GeneratorSampler(generator, prior=ema.prior, frequencies=frequencies)
        bank = feature_bank.collect(
            sampler.batches(num_samples),
            extractor,
            num_images=num_samples,
            progress=f"samples at share {share:g}" if progress else "",
        )
        rows.append({"share of the average": share, **metrics.compute(("fd",), reference, bank, extractor)})
    return rows
