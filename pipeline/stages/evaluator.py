"""Evaluator: measures a model and blesses it, or says why not. The second gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from biggan_tf.config import Config
from pipeline.orchestration import thresholds
from pipeline.orchestration.metadata import Artifact, EventType, MetadataStore, Properties
from pipeline.orchestration.stage import Outcome, Stage, StageError, Work, link_or_copy
from pipeline.pipeline_config import EvaluatorConfig, PipelineConfig
from pipeline.stages.trainer import TRAINING_CODE

if TYPE_CHECKING:
    from biggan_tf.evaluation.evaluator import Evaluator as Measure
    from biggan_tf.evaluation.results import Result

RESULT_FILE, CLASSIFIER_FILE, SHEET_FILE = "result.json", "classifier.npz", "samples.png"
_CLASSIFIER_BATCH = 64
_BASELINE = {"run": "model_run", "evaluation": "evaluation", "features": "features"}
BLESSED, NOT_BLESSED, REASON_FILE = "BLESSED", "NOT_BLESSED", "reasons.txt"


class Evaluator(Stage):
    """A run to `evaluation` (result.json, samples), `blessing` and `features` (the classifier, where one is used).

    The classifier of an earlier run on the same examples is used again: numbers from another network could not be
    compared. A baseline that was measured by another protocol is measured again by this one.
    """

    name = "Evaluator"
    inputs: ClassVar = {
        "examples": ("ExampleGen", "examples"),
        "model_run": ("Trainer", "model_run"),
        "model": ("Trainer", "model"),
    }
    outputs: ClassVar = {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing", "features": "FeatureExtractor"}
    code = (
        *TRAINING_CODE,
        "biggan_tf/evaluation",
        "pipeline/stages/evaluator.py",
        "pipeline/orchestration/thresholds.py",
    )

    def settings(self, config: PipelineConfig) -> Any:
        return {"evaluator": config.evaluator}

    def resolve(
        self, config: PipelineConfig, store: MetadataStore, inputs: Mapping[str, Artifact]
    ) -> dict[str, Artifact]:
        return last_blessed(store, but_not=inputs["model"]) if config.evaluator.must_not_worsen else {}

    def run(self, work: Work) -> Outcome:
        config: PipelineConfig = work.config
        settings = config.evaluator
        measure = prepare(settings, work)
        result = evaluate(measure, work.input("model_run"), settings)
        features: Properties = {"of": _identity(work), "summary": settings.features}
        if settings.features == "classifier" and has_validation_split(work):
            accuracy = real_accuracy(measure, str(work.input("examples")))
            features |= {"real_accuracy": accuracy, "summary": f"right about {accuracy:.1%} of real images"}
        baseline = None
        if "baseline_run" in work.inputs:
            baseline = comparable(measure, work, result, settings)
        reasons = thresholds.judge(
            result.metrics,
            settings.thresholds,
            baseline.metrics if baseline else None,
            settings.must_not_worsen,
            settings.tolerance,
            _is_lower_better,
        )
        self._write(work, result, baseline, reasons)
        decisive = [*settings.must_not_worsen, *(thresholds.parse(text).metric for text in settings.thresholds)]
        names = [name for name in dict.fromkeys(decisive) if name in result.metrics] or list(result.metrics)[:2]
        shown = ", ".join(f"{name} {result.metrics[name]:.4g}" for name in names)
        properties: dict[str, Any] = {"blessed": int(not reasons), "summary": "not blessed" if reasons else "blessed"}
        if "baseline_run" in work.inputs:
            properties["baseline"] = work.inputs["baseline_run"].id
        values = {name: float(value) for name, value in result.metrics.items()}
        described = {
            "evaluation": {**values, "summary": shown},
            "blessing": properties,
            "features": features,
        }
        return Outcome(described, gate="\n".join(reasons))

    def _write(self, work: Work, result: Result, baseline: Result | None, reasons: list[str]) -> None:
        from biggan_tf.evaluation import results

        evaluation = work.empty_output("evaluation")
        results.save(result, evaluation / RESULT_FILE)
        if baseline:
            results.save(baseline, evaluation / "baseline.json")
        draw_samples(work.input("model_run"), evaluation / SHEET_FILE)
        blessing = work.empty_output("blessing")
        (blessing / (NOT_BLESSED if reasons else BLESSED)).touch()
        against = work.inputs["baseline_run"].fingerprint if "baseline_run" in work.inputs else "thresholds alone"
        lines = [f"compared with {against}", *reasons]
        (blessing / REASON_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def last_blessed(store: MetadataStore, but_not: Artifact) -> dict[str, Artifact]:
    """Run, evaluation and features of the newest model that was blessed, another than this one; empty: none was.

    Args:
        store: The records.
        but_not: A model. It is no measure for itself: what was blessed would be judged anew in the next run.
    """
    events = store.events()
    artifacts = {artifact.id: artifact for artifact in store.artifacts()}
    blessings = [e for e in events if e.type == EventType.OUTPUT and _is_blessing(artifacts[e.artifact_id])]
    for blessing in sorted(blessings, key=lambda event: -event.artifact_id):
        used = {e.key: artifacts[e.artifact_id] for e in events if e.execution_id == blessing.execution_id}
        baseline = {f"baseline_{key}": used[source] for key, source in _BASELINE.items()}
        is_there = all(Path(artifact.uri).exists() for artifact in baseline.values())
        if used["model"].fingerprint != but_not.fingerprint and is_there:
            return baseline
    return {}


def _is_blessing(artifact: Artifact) -> bool:
    return artifact.type == "ModelBlessing" and artifact.properties.get("blessed") == 1


def prepare(settings: EvaluatorConfig, work: Work) -> Measure:
    """The features and the real images' statistics."""
    from biggan_tf.evaluation import reference_statistics
    from biggan_tf.evaluation.evaluator import Evaluator as Measure
    from biggan_tf.evaluation.features import load_extractor

    data = str(work.input("examples"))
    path = settings.features_path
    if settings.features == "classifier" and not path:
        path = str(work.output("features") / CLASSIFIER_FILE)
        _classifier(settings, work, Path(path))
    else:
        work.empty_output("features")
    try:
        extractor = load_extractor(settings.features, path)
        reference = reference_statistics.build(data, extractor, num_images=settings.num_real)
        return Measure(extractor, reference, settings.metrics, settings.num_samples)
    except ValueError as error:
        raise StageError(f"The evaluation cannot run: {error}") from error


def _classifier(settings: EvaluatorConfig, work: Work, path: Path) -> None:
    """The classifier of these examples: that of the baseline's evaluation if it fits, else a new one."""
    from biggan_tf.data import input_pipeline
    from biggan_tf.data import manifest as manifest_lib
    from biggan_tf.evaluation import small_classifier

    if path.exists():
        return  # of an attempt that was killed later
    known = work.inputs.get("baseline_features")
    if known and known.properties.get("of") == _identity(work):
        link_or_copy(Path(known.uri) / CLASSIFIER_FILE, path)
        return
    manifest = manifest_lib.load(str(work.input("examples")))
    trained = small_classifier.train(
        input_pipeline.make_dataset(_classifier_config(work)),
        manifest.resolution,
        manifest.label_names,
        num_steps=settings.classifier_steps,
        seed=settings.seed,
    )
    small_classifier.save(trained, path)


def _classifier_config(work: Work) -> Config:
    """The trainer's way of reading: the classifier sees what the discriminator sees, flips among it."""
    trainer: Config = work.config.trainer
    return dataclasses.replace(
        trainer,
        data=dataclasses.replace(trainer.data, path=str(work.input("examples"))),
        training=dataclasses.replace(trainer.training, batch_size=_CLASSIFIER_BATCH, seed=work.config.evaluator.seed),
    )


def has_validation_split(work: Work) -> bool:
    """Whether the examples have images that nothing was trained on."""
    from biggan_tf.data import manifest as manifest_lib

    return "validation" in manifest_lib.load(str(work.input("examples"))).splits


def real_accuracy(measure: Measure, data: str) -> float:
    """How often the classifier is right about real images that it was not trained on: what bounds `accuracy`."""
    from biggan_tf.data import input_pipeline

    right = total = 0
    for images, labels in input_pipeline.one_pass(data, 64, split="validation"):
        _, logits = measure.extractor(images)
        right += int((logits.argmax(axis=1) == labels.numpy()).sum())
        total += len(labels)
    return right / max(total, 1)


def _identity(work: Work) -> str:
    """What decides a classifier."""
    settings: EvaluatorConfig = work.config.evaluator
    return f"{work.inputs['examples'].fingerprint} {settings.features} {settings.classifier_steps} {settings.seed}"


def evaluate(measure: Measure, workdir: Path, settings: EvaluatorConfig) -> Result:
    """Metrics of a run's EMA generator."""
    from biggan_tf.evaluation import image_sources
    from biggan_tf.evaluation.generator_sampler import GeneratorSampler

    loaded = image_sources.load(str(workdir))
    sampler = GeneratorSampler(loaded.generator, prior=loaded.prior, seed=settings.seed)
    try:
        result = measure.evaluate(sampler, images_seen=loaded.images_seen)
    except ValueError as error:
        raise StageError(f"The evaluation cannot run: {error}") from error
    return dataclasses.replace(result, source=str(workdir))


def comparable(measure: Measure, work: Work, result: Result, settings: EvaluatorConfig) -> Result:
    """The baseline's result by the protocol of `result`: the stored one if that is its protocol, else a new one."""
    from biggan_tf.evaluation import results
    from biggan_tf.evaluation.protocol import ProtocolMismatchError, require_equal

    stored = results.load(work.input("baseline_evaluation") / RESULT_FILE)
    try:
        require_equal(stored.protocol, result.protocol)
        return stored
    except ProtocolMismatchError:
        pass
    try:
        return evaluate(measure, work.input("baseline_run"), settings)
    except StageError as error:
        raise StageError(
            f"{error}\nThat was the last blessed model, which evaluator.must_not_worsen compares with. Set it to () "
            "to bless by the thresholds alone."
        ) from error


def draw_samples(workdir: Path, path: Path) -> None:
    """A sheet with a row for each of the first ten classes."""
    from biggan_tf.evaluation import atomic_files, image_sources, sheet_plans
    from biggan_tf.evaluation.class_names import ClassNames
    from biggan_tf.evaluation.generator_sampler import GeneratorSampler
    from biggan_tf.evaluation.sheet_drawing import draw_sheet

    loaded = image_sources.load(str(workdir))
    sampler = GeneratorSampler(loaded.generator, prior=loaded.prior)
    if sampler.num_classes:
        names = ClassNames.of(loaded.label_names, sampler.num_classes)
        plan = sheet_plans.by_class(sampler, names, list(range(min(10, sampler.num_classes))), 10)
    else:
        plan = sheet_plans.at_random(sampler, 8, 8, [])
    sheet = draw_sheet(plan.render(sampler), plan.row_captions, plan.column_captions, "")
    with atomic_files.replacing(path) as file:
        sheet.save(file, "PNG")


def _is_lower_better(name: str) -> bool:
    from biggan_tf.training.main_metric import main_metric

    return main_metric({name: 0.0})[1]
