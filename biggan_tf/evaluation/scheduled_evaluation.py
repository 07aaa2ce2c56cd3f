"""The evaluation that a training runs on its schedule: the same code and protocol as `python -m biggan_tf.evaluate`."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.evaluation import results
from biggan_tf.evaluation.evaluator import Evaluator
from biggan_tf.evaluation.generator_sampler import GeneratorSampler

FOLDER = "evaluation"


class ScheduledEvaluation:
    """Computes `config.evaluation.metrics` of a generator in training.

    Nothing is loaded before the first call. The reference statistics are kept in the workdir, or at
    `evaluation.reference_path`, so that a run that goes on compares with the same ones; those of other data or of
    another extractor are refused. Every call leaves its numbers with their protocol in
    `workdir/evaluation/step-00001000.json`.

    Args:
        workdir: Of the run; "" or a remote one: nothing is written.
        strategy: Shares the work of the extractor among its replicas.
        writes: Whether this process writes the files; False on all workers but one.

    Example:
        >>> loop.train(config, workdir, evaluate=ScheduledEvaluation(workdir))
    """

    def __init__(self, workdir: str = "", strategy: tf.distribute.Strategy | None = None, writes: bool = True):
        self._workdir = workdir
        self._folder = "" if not workdir or "://" in workdir else os.path.join(workdir, FOLDER)
        self._strategy = strategy
        self._writes = writes
        self._evaluator: Evaluator | None = None
        self._sampler: GeneratorSampler | None = None

    def __call__(self, generator: Any, config: Config, step: int, images_seen: int) -> dict[str, float]:
        """Metrics by name, the one that decides what the best checkpoint is first (`training.main_metric`)."""
        if self._evaluator is None:
            self._evaluator = self._make_evaluator(config)
        if self._sampler is None or self._sampler.generator is not generator:
            # Kept from call to call: its graphs are traced once.
            self._sampler = GeneratorSampler(generator, prior=config.latents.distribution)
        result = self._evaluator.evaluate(self._sampler, images_seen=images_seen)
        if self._folder and self._writes:
            result = dataclasses.replace(result, source=self._workdir)
            results.save(result, os.path.join(self._folder, f"step-{step:08d}.json"))
        return dict(result.metrics)

    def _make_evaluator(self, config: Config) -> Evaluator:
        kept = os.path.join(self._folder, "reference.npz") if self._folder and self._writes else ""
        return Evaluator.from_config(
            config.evaluation, config.data.path, split=config.data.split, kept_path=kept, strategy=self._strategy
        )
