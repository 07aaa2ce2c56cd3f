"""The gates' own logic, without a training: which model is the baseline, and a server that does not start."""

import shutil
import types

import numpy as np
import pytest
from PIL import Image

from biggan_tf.data import input_pipeline
from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
from biggan_tf.evaluation.extractors import small_classifier
from biggan_tf.evaluation.metrics import reference_statistics
from biggan_tf.evaluation.protocol import ImageProtocol, MetricProtocol, SampleProtocol
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.reports.results import Result
from biggan_tf.training.checkpoints.loading import load_generator
from pipeline.staged.config import EvaluatorConfig, InfraValidatorConfig, PipelineConfig
from pipeline.staged.metadata import Artifact, EventType, ExecutionState, MetadataStore
from pipeline.staged.stage import StageContext, StageError
from pipeline.staged.stages import evaluator, infra_validator
from pipeline.staged.stages.pusher import Pusher
from tests.biggan_tf.evaluation.conftest import data_folder, extractor
from tests.biggan_tf.families.super_resolution import smallest as super_resolution
from tests.data import made_data
from tests.serving.export import saved_run

__all__ = ["data_folder", "extractor"]


@pytest.fixture
def store(tmp_path):
    with MetadataStore(tmp_path / "store.sqlite") as store:
        yield store


def judged(store, folder, name, blessed):
    """Records a model and what Evaluator said of it; the model."""
    execution = store.add_execution("Evaluator", ExecutionState.COMPLETE, {})
    artifacts = {}
    for key, kind in (("model", "Model"), ("model_run", "ModelRun")):
        (folder / name / key).mkdir(parents=True)
        artifacts[key] = store.add_artifact(kind, str(folder / name / key), {"fingerprint": f"{name} {key}"})
        store.add_event(artifacts[key].id, execution.id, EventType.INPUT, key)
    for key, kind in evaluator.EvaluatorStage.outputs.items():
        (folder / name / key).mkdir()
        properties = {"fingerprint": f"{name} {key}", "blessed": int(blessed)}
        artifact = store.add_artifact(kind, str(folder / name / key), properties)
        store.add_event(artifact.id, execution.id, EventType.OUTPUT, key)
    return artifacts["model"]


def baseline(store, model):
    found = evaluator.last_blessed(store, but_not=model)
    return found["baseline_run"].fingerprint if found else None


def test_baseline_is_the_newest_blessed_model_that_is_another(store, tmp_path):
    first = judged(store, tmp_path, "first", blessed=True)
    assert baseline(store, first) is None
    second = judged(store, tmp_path, "second", blessed=False)
    assert baseline(store, second) == "first model_run"
    third = judged(store, tmp_path, "third", blessed=True)
    assert baseline(store, third) == "first model_run"  # not itself: its verdict would change with every run
    assert baseline(store, first) == "third model_run"


def test_baseline_that_was_deleted_is_passed_over(store, tmp_path):
    judged(store, tmp_path, "first", blessed=True)
    second = judged(store, tmp_path, "second", blessed=True)
    (tmp_path / "first" / "model_run").rmdir()
    assert baseline(store, second) is None


def test_features_of_the_examples_are_kept_beside_them_and_bars_tell_how_far_it_is(
    data_folder, extractor, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("biggan_tf.evaluation.extractors.features.load_extractor", lambda name, path: extractor)
    examples = shutil.copytree(data_folder, tmp_path / "examples")
    inputs = {"examples": Artifact(1, "Examples", str(examples), {})}
    context = StageContext(PipelineConfig(), inputs, tmp_path / "execution")
    settings = EvaluatorConfig(features="efficientnet_lite0")
    first = evaluator.prepare(settings, context)
    assert "reference: 100%" in capsys.readouterr().err
    path = reference_statistics.kept_path(str(examples), extractor)  # where `biggan_tf.evaluate` and a run look
    assert reference_statistics.load(path).images == first.reference.images
    again = evaluator.prepare(settings, context)
    assert "reference" not in capsys.readouterr().err
    np.testing.assert_array_equal(again.reference.bank.features, first.reference.bank.features)


def context_with(folder, examples, earlier=None, **data):
    """What Evaluator is given: examples, a training with these fields of its data, and features of an earlier run."""
    config = PipelineConfig()
    config.evaluator = EvaluatorConfig(features="classifier")
    for name, value in data.items():
        setattr(config.trainer.data, name, value)
    inputs = {"examples": Artifact(1, "Examples", str(examples), {"fingerprint": "abc"})}
    if earlier:
        inputs["baseline_features"] = earlier
    return StageContext(config, inputs, folder)


@pytest.fixture
def trained_on(monkeypatch):
    """The data of each classifier that is trained, which is a file of a word."""
    seen = []
    monkeypatch.setattr(input_pipeline, "prepare", lambda data, *_: lambda first: seen.append(data))
    monkeypatch.setattr(small_classifier, "train", lambda *_, **__: "a classifier")
    monkeypatch.setattr(small_classifier, "save", lambda trained, path: path.write_text(trained))
    return seen


def test_the_classifier_is_trained_on_the_true_classes(data_folder, tmp_path, trained_on):
    context = context_with(tmp_path, data_folder, label_noise=0.3, flip=False)
    evaluator._classifier(context.config.evaluator, context, tmp_path / "classifier.npz")
    (data,) = trained_on
    assert (data.label_noise, data.flip, data.path) == (0.0, False, data_folder)


@pytest.mark.parametrize(
    ("data", "has_file", "is_reused"),
    [({}, True, True), ({}, False, False), ({"flip": False}, True, False), ({"split": "validation"}, True, False)],
)
def test_an_earlier_classifier_is_used_again_if_it_is_there_and_saw_the_same_images(
    data_folder, tmp_path, trained_on, data, has_file, is_reused
):
    properties = {"of": evaluator._identity(context_with(tmp_path, data_folder))}
    (tmp_path / "earlier").mkdir()
    if has_file:
        (tmp_path / "earlier" / evaluator.CLASSIFIER_FILE).write_text("the earlier classifier")
    earlier = Artifact(2, "FeatureExtractor", str(tmp_path / "earlier"), properties)
    context = context_with(tmp_path, data_folder, earlier, **data)
    evaluator._classifier(context.config.evaluator, context, tmp_path / "classifier.npz")
    assert (tmp_path / "classifier.npz").read_text() == ("the earlier classifier" if is_reused else "a classifier")
    assert len(trained_on) == (not is_reused)


@pytest.mark.parametrize("writes", [True, False])
def test_the_records_name_the_images_of_a_classifier_only_where_one_was_written(
    data_folder, extractor, tmp_path, monkeypatch, writes
):
    context = context_with(tmp_path, data_folder)
    result = Result({"fd": 1.0}, MetricProtocol(extractor.protocol, ImageProtocol(), SampleProtocol()))
    path = context.output("features") / evaluator.CLASSIFIER_FILE
    if writes:
        path.write_text("a classifier")
    context.inputs["model_run"] = Artifact(3, "ModelRun", str(tmp_path), {})
    monkeypatch.setattr(evaluator, "prepare", lambda *_: types.SimpleNamespace(extractor=None))
    monkeypatch.setattr(evaluator, "evaluate", lambda *_: result)
    monkeypatch.setattr(evaluator, "draw_samples", lambda *_: None)
    described = evaluator.EvaluatorStage().run(context).properties["features"]
    assert ("of" in described) == writes


def test_a_stored_result_is_compared_with_only_if_it_has_every_metric_that_must_not_worsen(
    extractor, tmp_path, monkeypatch
):
    protocol = MetricProtocol(extractor.protocol, ImageProtocol(), SampleProtocol())
    stored, new = Result({"fd": 1.0}, protocol), Result({"fd": 2.0, "kid": 3.0}, protocol)
    results.save(stored, tmp_path / evaluator.RESULT_FILE)
    keys = ("baseline_evaluation", "baseline_run")
    context = StageContext(PipelineConfig(), {key: Artifact(1, "", str(tmp_path), {}) for key in keys}, tmp_path)
    monkeypatch.setattr(evaluator, "evaluate", lambda *_: "measured anew")
    for names, expected in ((("fd",), stored), (("fd", "none"), stored), (("fd", "kid"), "measured anew")):
        assert evaluator.comparable(None, context, new, EvaluatorConfig(must_not_worsen=names)) == expected


def test_server_that_does_not_start_closes_the_gate(tmp_path):
    settings = InfraValidatorConfig(model_server_binary="/bin/false", num_tries=2, poll_s=0.01)
    with pytest.raises(infra_validator.InfraValidationError, match=r"ended with status 1.*\(tries: 2\)"):
        infra_validator.check_served(tmp_path, tmp_path / "log", settings)


def test_a_generator_that_enlarges_is_measured_by_the_images_of_the_examples(store, tmp_path):
    made_data.write(tmp_path / "data", num_shards=1, per_shard=12)
    saved_run.save(tmp_path / "run", super_resolution.config())
    config = PipelineConfig(trainer=super_resolution.config())
    config.evaluator = EvaluatorConfig(metrics=("psnr", "sharpness"), num_samples=10)
    (tmp_path / "out").mkdir()
    inputs = {"examples": store.add_artifact("Examples", str(tmp_path / "data"), {})}
    context = StageContext(config, inputs, tmp_path / "out")
    measured = evaluator.prepare(config.evaluator, context)
    result = evaluator.evaluate(measured, tmp_path / "run", config.evaluator)
    expected = EnlargementEvaluator(("psnr", "sharpness"), str(tmp_path / "data"), num_images=10)
    assert result.metrics == expected.evaluate(load_generator(tmp_path / "run")[0]).metrics
    assert "bicubic_psnr" in result.metrics
    evaluator.draw_samples(measured, tmp_path / "run", tmp_path / "samples.png")
    with Image.open(tmp_path / "samples.png") as sheet:
        assert sheet.size[0] > 4 * 96


@pytest.mark.parametrize("missing", ["model_blessing", "infra_blessing"])
def test_pusher_wants_both_blessings(store, tmp_path, missing):
    inputs = {
        key: store.add_artifact("Blessing", str(tmp_path), {"blessed": int(key != missing)})
        for key in ("model_blessing", "infra_blessing")
    }
    with pytest.raises(StageError, match=f"blessed twice.*{missing}"):
        Pusher().run(StageContext(PipelineConfig(), inputs, tmp_path))
