"""The evaluations during training, by the same code and protocol as `python -m biggan_tf.evaluate`."""

from __future__ import annotations

import dataclasses
import logging

import tensorflow as tf

from biggan_tf import files
from biggan_tf.config import Config
from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
from biggan_tf.evaluation.evaluator import Evaluator
from biggan_tf.evaluation.protocol import ProtocolMismatchError
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.reports.results import Result
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler

FOLDER = "evaluation"
_REFERENCE = "reference.json"
_LOGGER = logging.getLogger(__name__)


class ScheduledEvaluation:
    """Computes `config.evaluation.metrics` of a generator in training. Of several workers the first alone calls it.

    Nothing is loaded before the first call. The features of the real images are kept beside the data, where
    `biggan_tf.evaluate` finds them too, or at `evaluation.reference_path`. What they are of is noted in
    `workdir/evaluation/reference.json`, so that a resumed run compares with the same ones: other data or another
    extractor are refused. Every call writes its numbers with their protocol to `workdir/evaluation/step-00001000.json`.

    Args:
        workdir: The run's folder, local or a URL; "": nothing is written.
        strategy: Its replicas share the work of the extractor; None: one device.
        progress: Whether bars tell how far an evaluation is; not by default.

    Example:
        >>> loop.train(config, workdir, evaluate=ScheduledEvaluation(workdir))
    """

    def __init__(self, workdir: str = "", strategy: tf.distribute.Strategy | None = None, progress: bool = False):
        self._workdir = workdir
        self._folder = files.join(workdir, FOLDER) if workdir else ""
        self._strategy = strategy
        self._progress = progress
        self._told: set[str] = set()  # the remarks that were logged
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
        for remark in result.remarks:
            if remark not in self._told:  # it holds for each evaluation of the run
                _LOGGER.warning("%s", remark)
                self._told.add(remark)
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
        return self._evaluator.evaluate(self._sampler, images_seen=images_seen, step=step, progress=self._progress)

    def _of_enlargements(self, generator: Generator, config: Config, step: int, images_seen: int) -> Result:
        if self._enlargements is None:
            self._enlargements = EnlargementEvaluator.from_config(
                config.evaluation, config.data.path, config.data.split
            )
        return self._enlargements.evaluate(generator, images_seen=images_seen, step=step, progress=self._progress)

    def _make_evaluator(self, config: Config) -> Evaluator:
        evaluation = config.evaluation
        of_version_0_1 = files.join(self._folder, "reference.npz") if self._folder else ""
        if of_version_0_1 and not evaluation.reference_path and files.exists(of_version_0_1):
            evaluation = dataclasses.replace(evaluation, reference_path=of_version_0_1)
        evaluator = Evaluator.from_config(
            evaluation,
            config.data.path,
            split=config.data.split,
            kept_folder=self._folder,
            strategy=self._strategy,
            progress=self._progress,
        )
        if self._folder:
            self._require_same_reference(evaluator)
        return evaluator

    def _require_same_reference(self, evaluator: Evaluator) -> None:
        """Notes what the features are of, or refuses those of another set than this run noted before."""
        path = files.join(self._folder, _REFERENCE)
        reference = evaluator.reference
        now = {"features": dataclasses.asdict(reference.features), "images": dataclasses.asdict(reference.images)}
        if not files.exists(path):
            files.write_json(path, now)
            return
        noted = files.read_json(path)
        differing = [
            f"{name}: {noted.get(part, {}).get(name)!r} and {value!r}"
            for part, values in now.items()
            for name, value in values.items()
            if noted.get(part, {}).get(name) != value
        ]
        if differing:
            raise ProtocolMismatchError(
                f"{path} says what this run's evaluations compare with, and it is not what is asked for now; they "
                f"differ in\n  - " + "\n  - ".join(differing) + "\nRemove that file to compare with another set from "
                "now on."
            )
