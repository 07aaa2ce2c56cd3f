"""One evaluation of one generator, for the command `biggan_tf.evaluate` and for evaluations during training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from biggan_tf.config import EvaluationConfig, checks, metric_names
from biggan_tf.evaluation.extractors.features import FeatureExtractor, load_extractor
from biggan_tf.evaluation.metrics import all_metrics as metrics
from biggan_tf.evaluation.metrics import feature_bank, reference_statistics
from biggan_tf.evaluation.metrics.equivariance import equivariance, motions
from biggan_tf.evaluation.metrics.jacobian_isometry import METHOD, SPACES, jacobian_isometry
from biggan_tf.evaluation.metrics.perceptual_path import perceptual_path_length
from biggan_tf.evaluation.metrics.reference_statistics import ReferenceStatistics
from biggan_tf.evaluation.metrics.style_path import PATHS, StylePath
from biggan_tf.evaluation.protocol import MetricProtocol, PathProtocol, SampleProtocol
from biggan_tf.evaluation.reports.results import Result
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler

LABELS = checks.EVALUATED_LABELS


class Evaluator:
    """Compares generators with one set of real images.

    Args:
        extractor: The network whose features are compared.
        reference: The features of the real images, from the same extractor.
        names: Which metrics to compute: some of `metrics.METRICS`.
        num_images: How many images are generated for each evaluation.
        strategy: Its replicas share the work of the extractor; None: one device.
        labels: How often each class is generated: "data", as often as among the real images, or "uniform".

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
        labels: str = "data",
    ):
        metrics.check_names(names)
        if labels not in LABELS:
            raise ValueError(f"labels must be one of {', '.join(LABELS)}. Received: {labels!r}")
        self.extractor = extractor
        self.reference = reference
        self.names = tuple(names)
        self.num_images = num_images
        self.strategy = strategy
        self.labels = labels

    @classmethod
    def from_config(
        cls,
        config: EvaluationConfig,
        data_path: str,
        *,
        split: str = "train",
        kept_folder: str = "",
        strategy: tf.distribute.Strategy | None = None,
        progress: bool = False,
    ) -> Evaluator:
        """The evaluator that a run's configuration describes.

        Args:
            config: Names the metrics, the extractor and the numbers of images.
            data_path: The folder of the real images, as `pipeline.preprocess` wrote it.
            split: The part of the real images to compare with.
            kept_folder: Where `config.reference_path` names no file, the real images' features are kept beside the data
                (`reference_statistics.kept_path`), or in this folder where that cannot be written; "": they are
                computed and not stored.
            strategy: Its replicas share the work of the extractor; None: one device.
            progress: Whether a bar tells how far the features of the real images are; not by default.
        """
        metrics.check_names(config.metrics)
        extractor = load_extractor(config.features, config.features_path)
        path = config.reference_path
        if kept_folder and not path:
            path = reference_statistics.kept_path(data_path, extractor, split, config.num_real, kept_folder)
        reference = reference_statistics.load_or_build(
            path,
            data_path,
            extractor,
            split=split,
            num_images=config.num_real,
            strategy=strategy,
            progress=progress,
        )
        return cls(extractor, reference, config.metrics, config.num_samples, strategy, config.labels)

    def frequencies(self, num_classes: int) -> tuple[int, ...] | None:
        """How often each of a generator's classes is to be drawn; None: all are equally likely."""
        return self.reference.class_frequencies(num_classes) if self.labels == "data" else None

    def protocol(self, samples: SampleProtocol) -> MetricProtocol:
        """Everything that decides the numbers of these samples, known before any is generated."""
        computation = metrics.computation(self.names, self.extractor)
        return MetricProtocol(self.extractor.protocol, self.reference.images, samples, computation)

    def paths(self, sampler: GeneratorSampler) -> PathProtocol:
        """What decides those of the metrics that need the generator itself, known before any is computed.

        Args:
            sampler: The one that they will be computed of.
        """
        lengths = [name for name in self.names if name in PATHS]
        protocol = self._style_path.protocol(lengths) if lengths else PathProtocol()
        if set(self.names) & set(SPACES):
            protocol = dataclasses.replace(protocol, num_jacobians=self._num_jacobians, jacobians=METHOD)
        if "equivariance" in self.names:
            protocol = dataclasses.replace(protocol, num_moved=self._num_pairs, motions=motions(sampler))
        return protocol

    def evaluate(
        self, sampler: GeneratorSampler, *, images_seen: int = 0, step: int = 0, progress: bool = False
    ) -> Result:
        """Computes all metrics of a generator.

        Args:
            sampler: The generator, with all that decides its images.
            images_seen: How many real images it was trained on, noted in the result; 0: unknown.
            step: The step of its checkpoint, noted likewise.
            progress: Whether bars tell how far the samples and each metric are; not by default.

        Raises:
            ProtocolMismatchError: If the real images have another resolution.
            ValueError: If a metric compares classes, and the generator has not those of the real images.
        """
        self.reference.require(self.extractor, sampler.generator.config.resolution)
        metrics.require_classes(self.names, sampler.num_classes, self.reference.class_names)
        sampler = sampler.drawing(self.frequencies(sampler.num_classes))
        values: dict[str, float] = {}
        remarks: tuple[str, ...] = ()
        if self._of_samples:  # the others draw images of their own
            bank = feature_bank.collect(
                sampler.batches(self.num_images),
                self.extractor,
                num_images=self.num_images,
                strategy=self.strategy,
                progress="samples" if progress else "",
            )
            values, remarks = self.metrics_of(bank, progress), self.remarks_on(bank)
        values |= self._of_generator(sampler, progress)
        protocol = dataclasses.replace(self.protocol(sampler.protocol(self.num_images)), paths=self.paths(sampler))
        first = metric_names.deciding(self.names, values)
        return Result({first: values[first], **values}, protocol, images_seen=images_seen, step=step, remarks=remarks)

    def remarks_on(self, bank: feature_bank.FeatureBank) -> tuple[str, ...]:
        """What a reader of the metrics must know about them, a sentence each."""
        return metrics.remarks(self.names, self.reference, bank)

    @property
    def _num_pairs(self) -> int:
        return min(self.num_images, metrics.PATH_PAIRS)

    @property
    def _num_jacobians(self) -> int:
        return min(self.num_images, 20)

    @property
    def _style_path(self) -> StylePath:
        return StylePath(self._num_pairs)

    def _of_generator(self, sampler: GeneratorSampler, progress: bool) -> dict[str, float]:
        """The metrics that need the generator itself; `paths` has what decides them."""
        values, features = {}, self.extractor.protocol.features
        if "ppl" in self.names:
            values[f"ppl_{features}"] = perceptual_path_length(
                sampler, self.extractor, num_pairs=self._num_pairs, progress=progress
            )
        for name in (name for name in self.names if name in PATHS):
            values[f"{name}_{features}"] = self._style_path.measure(name, sampler, self.extractor, progress)
        for name in (name for name in self.names if name in SPACES):
            values[name] = jacobian_isometry(name, sampler, self._num_jacobians, progress)
        if "equivariance" in self.names:
            values |= equivariance(sampler, num_images=self._num_pairs, progress=progress)
        return values

    def metrics_of(self, bank: feature_bank.FeatureBank, progress: bool = False) -> dict[str, float]:
        """Computes those of the metrics that need nothing but features.

        Args:
            bank: The features of generated images.
            progress: Whether bars tell how far each metric is; not by default.
        """
        names = self._of_samples
        return metrics.compute(names, self.reference, bank, self.extractor, progress) if names else {}

    @property
    def _of_samples(self) -> list[str]:
        """Those of the metrics that are computed from the features of samples."""
        return [name for name in self.names if name not in metrics.OF_GENERATOR]
