import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from biggan_tf import __version__
from biggan_tf.evaluation import evaluator as evaluator_lib
from biggan_tf.evaluation.extractors.features import FeatureProtocol
from biggan_tf.evaluation.metrics import all_metrics as metrics
from biggan_tf.evaluation.metrics import reference_statistics
from biggan_tf.evaluation.protocol import (
    ImageProtocol,
    MetricProtocol,
    PathProtocol,
    ProtocolMismatchError,
    SampleProtocol,
)
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.training.checkpoints.deciding_metric import name_and_direction
from tests.biggan_tf.evaluation.conftest import CLASS_NAMES, coloured_images, data_folder, extractor, generator

__all__ = ["data_folder", "extractor", "generator"]


@pytest.mark.slow
def test_images_are_evaluated_and_another_protocol_is_refused(commands, data_folder, tmp_path):
    images, labels = coloured_images(30, seed=5)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / "images" / CLASS_NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i}.png")
    flags = [f"--images={tmp_path / 'images'}", f"--data={data_folder}", "--features=classifier"]
    flags += ["--metrics=fd,accuracy,intra_fd", "--classifier_steps=60", f"--output={tmp_path / 'out'}"]
    first = commands.run("biggan_tf.evaluate", *flags)
    assert first.status == 0, first.stderr[-2000:]
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["metrics"]["accuracy"] > 0.9
    assert result["protocol"]["reference"]["data_fingerprint"] == "abc"
    assert result["protocol"]["samples"]["labels"] == "given"
    assert result["version"] == __version__
    kept = sorted((tmp_path / "out").glob("result-*.json"))
    assert [json.loads(path.read_text()) for path in kept] == [result]
    (features,) = pathlib.Path(f"{data_folder}.features").iterdir()
    age = features.stat().st_mtime_ns
    assert "fd_classifier_covariance_part" in first.stdout
    (tmp_path / "old.json").write_text(json.dumps(result).replace("test-1", "test-2"))
    second = commands.run("biggan_tf.evaluate", *flags, f"--compare={tmp_path / 'old.json'}")
    assert second.status == 2
    assert "reference.preprocessing: 'test-1' and 'test-2'" in second.stderr
    assert "Traceback" not in second.stderr
    assert "images" not in second.stdout + second.stderr.split("these cannot")[0]  # no bar: nothing was computed
    third = commands.run("biggan_tf.evaluate", *flags, f"--compare={tmp_path / 'out' / 'result.json'}")
    assert third.status == 0, third.stderr[-2000:]
    assert "(+0)" in third.stdout
    assert features.stat().st_mtime_ns == age, "the features of the real images were computed again"
    assert len((tmp_path / "out" / "history.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
def test_replicas_share_the_work_and_change_no_number(commands, data_folder, tmp_path):
    images, labels = coloured_images(31, seed=6)
    np.savez(tmp_path / "images.npz", arr_0=images, arr_1=labels)
    evaluations = []
    for replicas in (1, 2):
        output = tmp_path / f"out{replicas}"
        output.mkdir()
        if evaluations:
            shutil.copy(tmp_path / "out1" / "classifier.npz", output)
        flags = [f"--images={tmp_path / 'images.npz'}", f"--data={data_folder}", "--features=classifier"]
        flags += ["--metrics=fd,kid", "--classifier_steps=20", f"--output={output}", f"--replicas={replicas}"]
        done = commands.run("biggan_tf.evaluate", *flags)
        assert done.status == 0, done.stderr[-2000:]
        evaluations.append(json.loads((output / "result.json").read_text()))
    assert evaluations[0]["protocol"] == evaluations[1]["protocol"]
    for name, value in evaluations[0]["metrics"].items():
        assert evaluations[1]["metrics"][name] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_classes_are_generated_as_often_as_the_data_has_them(data_folder, extractor, generator):
    reference = reference_statistics.build(data_folder, extractor)
    assert reference.class_frequencies(3) is None, "all classes of the data have as many images"
    counts = np.array([60, 0, 6])
    reference = dataclasses.replace(reference, bank=dataclasses.replace(reference.bank, class_counts=counts))
    sampler = GeneratorSampler(generator, batch_size=8)
    drawn = {}
    for labels in evaluator_lib.LABELS:
        evaluator = evaluator_lib.Evaluator(extractor, reference, ("fd",), num_images=48, labels=labels)
        protocol = evaluator.evaluate(sampler).protocol
        assert protocol.samples.labels == labels
        assert protocol == evaluator.protocol(sampler.drawing(evaluator.frequencies(3)).protocol(48))
        parts = sampler.drawing(evaluator.frequencies(3)).batches(48)
        drawn[labels] = np.bincount(np.concatenate([part for _, part in parts]), minlength=3)
    assert drawn["data"][1] == 0
    assert drawn["data"][0] > 5 * drawn["data"][2]
    assert drawn["uniform"].min() > 5
    assert reference.class_frequencies(2) is None, "the data's classes are not this generator's"
    with pytest.raises(ValueError, match=r"labels must be one of data, uniform\. Received: 'even'"):
        evaluator_lib.Evaluator(extractor, reference, labels="even")


def test_too_few_images_for_a_covariance_are_said_aloud(data_folder, extractor, generator):
    reference = reference_statistics.build(data_folder, extractor)
    sampler = GeneratorSampler(generator, batch_size=8)
    few, enough = (
        evaluator_lib.Evaluator(extractor, reference, ("fd",), num_images=count).evaluate(sampler) for count in (8, 24)
    )
    assert enough.remarks == ()
    assert few.remarks[0].startswith("The covariance of 12 features needs more than 12 images; there are 8 generated.")
    assert few.remarks[0] in results.table(few)


def test_results_of_other_steps_and_protocols_stay(tmp_path):
    protocol = MetricProtocol(FeatureProtocol("tiny", "0", "none"), ImageProtocol(), SampleProtocol())
    other = dataclasses.replace(protocol, samples=SampleProtocol(seed=1))
    given = [results.Result({"fd": 1.0}, protocol, step=1), results.Result({"fd": 2.0}, protocol, step=2)]
    given += [results.Result({"fd": 3.0}, other, step=2)]
    paths = [results.keep(result, tmp_path) for result in given]
    assert len(set(paths)) == 3
    assert [results.load(path) for path in paths] == given
    assert results.load(tmp_path / "result.json") == given[-1]
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["metrics"]["fd"] for line in lines] == [1.0, 2.0, 3.0]
    assert [tmp_path / line["file"] for line in lines] == [pathlib.Path(path) for path in paths]


def test_path_lengths_that_are_not_measured_yet_hinder_no_comparison():
    protocol = MetricProtocol(FeatureProtocol("tiny", "0", "none"), ImageProtocol(), SampleProtocol())
    measured, other = (dataclasses.replace(protocol, paths=PathProtocol(num_pairs=count)) for count in (10, 20))
    results.require_comparable(protocol, measured)
    with pytest.raises(ProtocolMismatchError, match=r"paths.num_pairs: 10 and 20"):
        results.require_comparable(measured, other)
    with pytest.raises(ProtocolMismatchError, match=r"samples.seed: 1 and 0"):
        results.require_comparable(dataclasses.replace(protocol, samples=SampleProtocol(seed=1)), measured)


def test_a_result_of_version_0_1_is_compared_with_what_it_measured_alike(extractor, tmp_path):
    protocol = MetricProtocol(FeatureProtocol("tiny", "0", "none"), ImageProtocol(), SampleProtocol())
    old = dataclasses.asdict(results.Result({"kid": 1.0, "coverage": 0.5}, protocol))
    del old["protocol"]["computation"], old["protocol"]["samples"]["labels"], old["step"], old["version"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    wanted = metrics.computation(("kid", "prdc"), extractor)
    assert results.load(tmp_path / "old.json").protocol == dataclasses.replace(protocol, computation=wanted)


def test_an_evaluation_of_a_generator_holds_its_protocol(data_folder, extractor, generator, tmp_path):
    reference = reference_statistics.build(data_folder, extractor)
    evaluator = evaluator_lib.Evaluator(extractor, reference, ("fd", "kid", "prdc", "ppl"), num_images=24)
    sampler = GeneratorSampler(generator, truncation=0.5, batch_size=8)
    result = evaluator.evaluate(sampler, images_seen=7)
    assert result.protocol.samples.truncation == "resampling 0.5"
    assert {"fd_tiny", "kid", "coverage", "ppl_tiny"} <= set(result.metrics)
    assert name_and_direction(result.metrics) == ("fd_tiny", True)
    results.save(result, tmp_path / "result.json")
    assert results.load(tmp_path / "result.json") == result
    assert results.compare(result, result)["kid"] == 0.0
    other = evaluator.evaluate(GeneratorSampler(generator, truncation=1.0, batch_size=8))
    with pytest.raises(ProtocolMismatchError, match=r"samples.truncation: 'resampling 1' and 'resampling 0.5'"):
        results.compare(other, result)
    results.write_tensorboard(result, tmp_path)
    assert list(tmp_path.glob("events*"))
    assert "fd_tiny" in results.table(result)
    assert np.isfinite(list(result.metrics.values())).all()
