"""Evaluator: measures a model, and blesses it if it is good enough. The pipeline's second gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.staged import thresholds
from pipeline.staged.config import EvaluatorConfig, PipelineConfig
from pipeline.staged.metadata import Artifact, EventType, MetadataStore, Properties
from pipeline.staged.stage import Stage, StageContext, StageError, StageResult, link_or_copy

if TYPE_CHECKING:
    from PIL import Image

    from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
    from biggan_tf.evaluation.evaluator import Evaluator
    from biggan_tf.evaluation.extractors.features import FeatureExtractor
    from biggan_tf.evaluation.reports.results import Result
    from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator

RESULT_FILE, CLASSIFIER_FILE, SHEET_FILE = "result.json", "classifier.npz", "samples.png"
_CLASSIFIER_BATCH = 64
_BASELINE = {"run": "model_run", "evaluation": "evaluation", "features": "features"}
BLESSED, NOT_BLESSED, REASON_FILE = "BLESSED", "NOT_BLESSED", "reasons.txt"


class EvaluatorStage(Stage):
    """Reads a run; writes `evaluation` (result.json, samples), `blessing`, and `features` (the classifier, if any).

    An image that was enlarged is compared with the large one that its small one was made of.
    A classifier that was trained on the same examples in an earlier run is used again, because numbers from different
    networks cannot be compared. If the last blessed model was measured by another protocol, it is measured again.
    """

    name = "Evaluator"
    inputs: ClassVar = {
        "examples": ("ExampleGen", "examples"),
        "model_run": ("Trainer", "model_run"),
        "model": ("Trainer", "model"),
    }
    outputs: ClassVar = {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing", "features": "FeatureExtractor"}

    def settings(self, config: PipelineConfig) -> Any:
        return {"evaluator": config.evaluator}

    def resolve(
        self, config: PipelineConfig, store: MetadataStore, inputs: Mapping[str, Artifact]
    ) -> dict[str, Artifact]:
        return last_blessed(store, but_not=inputs["model"]) if config.evaluator.must_not_worsen else {}

    def run(self, context: StageContext) -> StageResult:
        config: PipelineConfig = context.config
        settings = config.evaluator
        evaluator = prepare(settings, context)
        result = evaluate(evaluator, context.input("model_run"), settings)
        features: Properties = {"summary": settings.features}
        if (context.output("features") / CLASSIFIER_FILE).exists():
            features["of"] = _identity(context)
        classifier = evaluator.extractor if settings.features == "classifier" else None
        if classifier is not None and has_validation_split(context):
            accuracy = real_accuracy(classifier, str(context.input("examples")))
            features |= {"real_accuracy": accuracy, "summary": f"right about {accuracy:.1%} of real images"}
        baseline = None
        if "baseline_run" in context.inputs:
            baseline = comparable(evaluator, context, result, settings)
        reasons = thresholds.reasons_not_to_bless(
            result.metrics,
            settings.thresholds,
            baseline.metrics if baseline else None,
            settings.must_not_worsen,
            settings.tolerance,
            _is_lower_better,
        )
        self._write(context, evaluator, result, baseline, reasons)
        decisive = [*settings.must_not_worsen, *(thresholds.parse(text).metric for text in settings.thresholds)]
        names = [name for name in dict.fromkeys(decisive) if name in result.metrics] or list(result.metrics)[:2]
        shown = ", ".join(f"{name} {result.metrics[name]:.4g}" for name in names)
        properties: dict[str, Any] = {"blessed": int(not reasons), "summary": "not blessed" if reasons else "blessed"}
        if "baseline_run" in context.inputs:
            properties["baseline"] = context.inputs["baseline_run"].id
        values = {name: float(value) for name, value in result.metrics.items()}
        described = {
            "evaluation": {**values, "summary": shown},
            "blessing": properties,
            "features": features,
        }
        return StageResult(described, gate="\n".join(reasons))

    def _write(
        self,
        context: StageContext,
        evaluator: Evaluator | EnlargementEvaluator,
        result: Result,
        baseline: Result | None,
        reasons: list[str],
    ) -> None:
        from biggan_tf.evaluation.reports import results

        evaluation = context.empty_output("evaluation")
        results.save(result, evaluation / RESULT_FILE)
        if baseline:
            results.save(baseline, evaluation / "baseline.json")
        draw_samples(evaluator, context.input("model_run"), evaluation / SHEET_FILE)
        blessing = context.empty_output("blessing")
        (blessing / (NOT_BLESSED if reasons else BLESSED)).touch()
        against = context.inputs["baseline_run"].fingerprint if "baseline_run" in context.inputs else "thresholds alone"
        lines = [f"compared with {against}", *reasons]
        (blessing / REASON_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def last_blessed(store: MetadataStore, but_not: Artifact) -> dict[str, Artifact]:
    """Run, evaluation and features of the newest model that was blessed, by key; empty if there is none.

    Args:
        store: The records.
        but_not: A model that is passed over. A model that was blessed must not become its own baseline, for then its
            evaluation would have other inputs in the next run and be repeated.
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


def prepare(settings: EvaluatorConfig, context: StageContext) -> Evaluator | EnlargementEvaluator:
    """Loads the features, and computes the statistics of the real images where samples are compared with them.

    Args:
        settings: How the model is measured.
        context: The stage's inputs and outputs.

    Raises:
        StageError: If the evaluation cannot run with these settings.
    """
    from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
    from biggan_tf.evaluation.evaluator import Evaluator
    from biggan_tf.evaluation.extractors import feature_maps
    from biggan_tf.evaluation.extractors.features import load_extractor
    from biggan_tf.evaluation.metrics import reference_statistics

    data, enlarges = str(context.input("examples")), context.config.trainer.model.enlargement > 1
    needs_features = not enlarges or "patch_fd" in settings.metrics
    path = settings.features_path
    if settings.features == "classifier" and not path and needs_features:
        path = str(context.output("features") / CLASSIFIER_FILE)
        _classifier(settings, context, Path(path))
    else:
        context.empty_output("features")
    try:
        extractor = load_extractor(settings.features, path) if needs_features else None
        if enlarges or extractor is None:
            maps = None
            if "map_distance" in settings.metrics:
                maps = feature_maps.of_features(settings.features, settings.features_path)
            return EnlargementEvaluator(settings.metrics, data, "train", settings.num_samples, extractor, maps)
        reference = reference_statistics.load_or_build(
            reference_statistics.kept_path(data, extractor, num_images=settings.num_real),
            data,
            extractor,
            num_images=settings.num_real,
            progress=True,
        )
        return Evaluator(extractor, reference, settings.metrics, settings.num_samples)
    except ValueError as error:
        raise StageError(f"The evaluation cannot run: {error}") from error


def _classifier(settings: EvaluatorConfig, context: StageContext, path: Path) -> None:
    """Writes the classifier of these examples: the baseline's if that was trained on the same ones, else new."""
    from biggan_tf.data import input_pipeline
    from biggan_tf.data import manifest as manifest_lib
    from biggan_tf.evaluation.extractors import small_classifier

    if path.exists():
        return  # an attempt that was killed later has trained it
    earlier = context.inputs.get("baseline_features")
    if earlier and earlier.properties.get("of") == _identity(context):
        kept = Path(earlier.uri) / CLASSIFIER_FILE
        if kept.exists():  # older records name the examples also where no classifier was trained
            link_or_copy(kept, path)
            return
    manifest = manifest_lib.load(str(context.input("examples")))
    # As the trainer's data, so that the classifier sees images as D does, but in other batches and with right labels.
    data = dataclasses.replace(context.config.trainer.data, path=str(context.input("examples")), label_noise=0.0)
    trained = small_classifier.train(
        input_pipeline.prepare(data, _CLASSIFIER_BATCH, settings.seed)(0),
        manifest.resolution,
        manifest.label_names,
        num_steps=settings.classifier_steps,
        seed=settings.seed,
        progress=True,
    )
    small_classifier.save(trained, path)


def has_validation_split(context: StageContext) -> bool:
    """Whether the examples have a validation split, whose images no network was trained on."""
    from biggan_tf.data import manifest as manifest_lib

    return "validation" in manifest_lib.load(str(context.input("examples"))).splits


def real_accuracy(classifier: FeatureExtractor, data: str) -> float:
    """Share of the real validation images that the classifier names correctly, to compare `accuracy` with.

    Args:
        classifier: The classifier.
        data: Folder of the examples.
    """
    from biggan_tf.data import input_pipeline
    from biggan_tf.data import manifest as manifest_lib
    from biggan_tf.progress import track

    num_batches = -(-manifest_lib.load(data).splits["validation"].num_records // 64)
    batches = input_pipeline.one_pass(data, 64, split="validation")
    right = total = 0
    for images, labels in track(batches, num_batches, "accuracy on real images", "batch"):
        _, logits = classifier(images)
        right += int((logits.argmax(axis=1) == labels.numpy()).sum())
        total += len(labels)
    return right / max(total, 1)


def _identity(context: StageContext) -> str:
    """What a classifier was trained on, for how long and with which seed, as text."""
    settings: EvaluatorConfig = context.config.evaluator
    data = context.config.trainer.data
    images = f"{context.inputs['examples'].fingerprint} {data.split}{' flipped' if data.flip else ''}"
    return f"{images} {settings.features} {settings.classifier_steps} {settings.seed}"


def evaluate(evaluator: Evaluator | EnlargementEvaluator, workdir: Path, settings: EvaluatorConfig) -> Result:
    """Measures a run's EMA generator.

    Args:
        evaluator: Holds the features and the statistics of the real images.
        workdir: Folder of the run.
        settings: How the model is measured.

    Raises:
        StageError: If the evaluation cannot run.
    """
    from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
    from biggan_tf.evaluation.sampling import image_sources
    from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler

    loaded = image_sources.load(str(workdir))
    try:
        if isinstance(evaluator, EnlargementEvaluator):
            result = evaluator.evaluate(loaded.generator, images_seen=loaded.images_seen, step=loaded.step)
        else:
            sampler = GeneratorSampler(loaded.generator, prior=loaded.prior, seed=settings.seed)
            result = evaluator.evaluate(sampler, images_seen=loaded.images_seen, step=loaded.step, progress=True)
    except ValueError as error:
        raise StageError(f"The evaluation cannot run: {error}") from error
    return dataclasses.replace(result, source=str(workdir))


def comparable(
    evaluator: Evaluator | EnlargementEvaluator, context: StageContext, result: Result, settings: EvaluatorConfig
) -> Result:
    """The baseline's result by the protocol of `result`: the stored one if it has that protocol, else a new one.

    The stored one may also lack a metric that must not worsen, since it was measured with another configuration; then
    there is a new one, too.

    Args:
        evaluator: Holds the features and the statistics of the real images.
        context: The stage's inputs, among them the baseline's.
        result: The new model's result.
        settings: How the model is measured.

    Raises:
        StageError: If the baseline cannot be measured.
    """
    from biggan_tf.evaluation.protocol import ProtocolMismatchError, require_equal
    from biggan_tf.evaluation.reports import results

    stored = results.load(context.input("baseline_evaluation") / RESULT_FILE)
    compared = {name for name in settings.must_not_worsen if name in result.metrics}
    try:
        require_equal(stored.protocol, result.protocol)
        if compared <= set(stored.metrics):
            return stored
    except ProtocolMismatchError:
        pass
    try:
        return evaluate(evaluator, context.input("baseline_run"), settings)
    except StageError as error:
        raise StageError(
            f"{error}\nThat was the last blessed model, which evaluator.must_not_worsen compares with. Set it to () "
            "to bless by the thresholds alone."
        ) from error


def draw_samples(evaluator: Evaluator | EnlargementEvaluator, workdir: Path, path: Path) -> None:
    """Draws samples: a row for each of the first ten classes, or for each of the first images that were enlarged.

    Args:
        evaluator: What the run was measured with, which has the images to enlarge.
        workdir: Folder of the run.
        path: The PNG file to write.
    """
    from biggan_tf import files
    from biggan_tf.evaluation import enlargement_evaluator
    from biggan_tf.evaluation.sampling import image_sources

    loaded = image_sources.load(str(workdir))
    if isinstance(evaluator, enlargement_evaluator.EnlargementEvaluator):
        sheet = enlargement_evaluator.sheet(evaluator.columns(loaded.generator))
    else:
        sheet = _sample_sheet(loaded)
    with files.replacing(path) as file:
        sheet.save(file, "PNG")


def _sample_sheet(loaded: LoadedGenerator) -> Image.Image:
    from biggan_tf.data.class_names import ClassNames
    from biggan_tf.evaluation.reports.sheet_drawing import draw_sheet
    from biggan_tf.evaluation.sampling import sheet_plans
    from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler

    sampler = GeneratorSampler(loaded.generator, prior=loaded.prior)
    if sampler.num_classes:
        names = ClassNames.of(loaded.label_names, sampler.num_classes)
        plan = sheet_plans.by_class(sampler, names, list(range(min(10, sampler.num_classes))), 10)
    else:
        plan = sheet_plans.at_random(sampler, 8, 8, [])
    return draw_sheet(plan.render(sampler), plan.row_captions, plan.column_captions, "")


def _is_lower_better(name: str) -> bool:
    from biggan_tf.training.checkpoints.deciding_metric import name_and_direction

    return name_and_direction({name: 0.0})[1]
