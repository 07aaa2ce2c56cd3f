"""The evaluations during training, by the same code and protocol as `python -m biggan_tf.evaluate`."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from biggan_tf import files
from biggan_tf.config import Config
from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
from biggan_tf.evaluation.evaluator import Evaluator
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.reports.results import Result
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler

FOLDER = "evaluation"


class ScheduledEvaluation:
    """Computes `config.evaluation.metrics` of a generator in training. Of several workers the first alone calls it.

    Nothing is loaded before the first call. The reference statistics are stored in the workdir, or at
    `evaluation.reference_path`, so that a resumed run compares with the same ones; statistics of other data or of
    another extractor are refused. Every call writes its numbers with their protocol to
    `workdir/evaluation/step-00001000.json`.

    Args:
        workdir: The run's folder, local or a URL; "": nothing is written.
        strategy: Its replicas share the work of the extractor; None: one device.

    Example:
        >>> loop.train(config, workdir, evaluate=ScheduledEvaluation(workdir))
    """

    def __init__(self, workdir: str = "", strategy: tf.distribute.Strategy | None = None):
        self._workdir = workdir
        self._folder = files.join(workdir, FOLDER) if workdir else ""
        self._strategy = strategy
        self._evaluator: Evaluator | None = None
        self._enlargements: EnlargementEvaluator | None = None
        self._sampler: GeneratorSampler | None = None

    def __call__(self, generator: Generator, config: Config, step: int, images_seen: int) -> dict[str, float]:
        """Evaluates a generator.

        Args:
            generator: Is used with the moments that its batch norms hold.
            config: The run's configuration.
            step: How many steps the generator was trained, for the name of the file.
            images_seen: How many real images it was trained on.

        Returns:
            The metrics by name. The first is the one that decides which checkpoint is the best
            (`training.checkpoints.deciding_metric`).
        """
        if config.model.enlargement > 1:
            result = self._of_enlargements(generator, config, step, images_seen)
        else:
            result = self._of_samples(generator, config, step, images_seen)
        if self._folder:
            result = dataclasses.replace(result, source=self._workdir)
            results.save(result, files.join(self._folder, f"step-{step:08d}.json"))
        return dict(result.metrics)

    def _of_samples(self, generator: Generator, config: Config, step: int, images_seen: int) -> Result:
        if self._evaluator is None:
            self._evaluator = self._make_evaluator(config)
        if self._sampler is None or self._sampler.generator is not generator:
            # Kept for the next call, because a new sampler would trace its graphs again.
            self._sampler = GeneratorSampler(generator, prior=config.model.prior)
        return self._evaluator.evaluate(self._sampler, images_seen=images_seen, step=step)

    def _of_enlargements(self, generator: Generator, config: Config, step: int, images_seen: int) -> Result:
        if self._enlargements is None:
            self._enlargements = EnlargementEvaluator.from_config(
                config.evaluation, config.data.path, config.data.split
            )
        return self._enlargements.evaluate(generator, images_seen=images_seen, step=step)

    def _make_evaluator(self, config: Config) -> Evaluator:
        kept = files.join(self._folder, "reference.npz") if self._folder else ""
        return Evaluator.from_config(
            config.evaluation, config.data.path, split=config.data.split, kept_path=kept, strategy=self._strategy
        )
