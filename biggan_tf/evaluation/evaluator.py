"""One evaluation of one generator, for the command line and for the trainer's schedule."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from biggan_tf.config import EvaluationConfig
from biggan_tf.evaluation import feature_bank, metrics, reference_statistics
from biggan_tf.evaluation.features import FeatureExtractor, load_extractor
from biggan_tf.evaluation.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.perceptual_path import perceptual_path_length
from biggan_tf.evaluation.protocol import MetricProtocol
from biggan_tf.evaluation.reference_statistics import ReferenceStatistics
from biggan_tf.evaluation.results import Result


class Evaluator:
    """Compares generators with one set of real images.

    Args:
        extractor: Makes the features.
        reference: Of the real images.
        names: Metrics, of `metrics.METRICS`.
        num_images: Generated for each evaluation.
        strategy: Shares the work of the extractor among its replicas.

    Example:
        >>> evaluator = Evaluator.from_config(config.evaluation, config.data.path)
        >>> evaluator.evaluate(GeneratorSampler(ema_generator)).metrics["fd_efficientnet_lite0"]
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        reference: ReferenceStatistics,
        names: Sequence[str] = ("fd",),
        num_images: int = 10_000,
        strategy: tf.distribute.Strategy | None = None,
    ):
        metrics.check_names(names)
        self.extractor = extractor
        self.reference = reference
        self.names = tuple(names)
        self.num_images = num_images
        self.strategy = strategy

    @classmethod
    def from_config(
        cls,
        config: EvaluationConfig,
        data_path: str,
        *,
        split: str = "train",
        kept_path: str = "",
        strategy: tf.distribute.Strategy | None = None,
    ) -> Evaluator:
        """The evaluator of a run.

        Args:
            config: Names the metrics, the extractor and the reference's file.
            data_path: The real images.
            split: Of them.
            kept_path: Where the reference is kept if the configuration names no file; "": nowhere.
            strategy: See the class.
        """
        metrics.check_names(config.metrics)
        extractor = load_extractor(config.features, config.features_path)
        reference = reference_statistics.load_or_build(
            config.reference_path or kept_path,
            data_path,
            extractor,
            split=split,
            num_images=config.num_real,
            strategy=strategy,
        )
        return cls(extractor, reference, config.metrics, config.num_samples, strategy)

    def evaluate(self, sampler: GeneratorSampler, *, images_seen: int = 0, progress: bool = False) -> Result:
        """All metrics of a generator."""
        resolution = sampler.generator.model_config.resolution
        self.reference.require(self.extractor, resolution)
        bank = feature_bank.collect(
            sampler.batches(self.num_images),
            self.extractor,
            num_images=self.num_images,
            strategy=self.strategy,
            progress="samples" if progress else "",
        )
        values = self.metrics_of(bank)
        if "ppl" in self.names:
            name = f"ppl_{self.extractor.protocol.features}"
            values[name] = perceptual_path_length(sampler, self.extractor, num_pairs=min(self.num_images, 1000))
        protocol = MetricProtocol(self.extractor.protocol, self.reference.images, sampler.protocol(self.num_images))
        return Result(values, protocol, images_seen=images_seen)

    def metrics_of(self, bank: feature_bank.FeatureBank) -> dict[str, float]:
        """The metrics that need nothing but features."""
        names = [name for name in self.names if name != "ppl"]
        return metrics.compute(names, self.reference, bank, self.extractor) if names else {}
