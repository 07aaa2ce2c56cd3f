import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from biggan_tf import __version__
from biggan_tf.config import Config
from biggan_tf.data import input_pipeline
from biggan_tf.evaluation import evaluator as evaluator_lib
from biggan_tf.evaluation.extractors import small_classifier
from biggan_tf.evaluation.extractors.features import FeatureProtocol, load_extractor
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
from tests.biggan_tf.families.super_resolution import smallest as super_resolution
from tests.biggan_tf.presets import local_hub, saved_preset
from tests.data import made_data
from tests.serving.export import saved_run

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


def test_the_results_of_a_preset_on_a_hub_go_to_the_current_folder(commands, data_folder, generator, tmp_path):
    pytest.importorskip("huggingface_hub")
    address = "hf://owner/tiny@main"
    config = Config(name="tiny", model=generator.config)
    saved_preset.save(tmp_path / "preset", config, CLASS_NAMES, with_discriminator=False)
    flags = ["--features=classifier", "--classifier_steps=1", "--metrics=fd", "--num_samples=2", "--num_real=4"]
    with local_hub.running() as server:
        server.repositories["owner/tiny"] = {path.name: path.read_bytes() for path in (tmp_path / "preset").iterdir()}
        endpoint = {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_XET": "1"}
        done = commands.run(
            "biggan_tf.evaluate",
            f"--weights={address}",
            f"--data={data_folder}",
            *flags,
            cwd=tmp_path,
            environment=endpoint,
        )
    assert done.status == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "tiny.evaluation" / "result.json").read_text())["source"] == address


def test_a_place_of_the_results_that_cannot_be_written_is_refused_before_any_work(commands):
    done = commands.run("biggan_tf.evaluate", "--weights=s3://bucket/network.pkl", "--data=x")
    assert done.status == 2
    assert "--output must be a local path or gs://BUCKET/FOLDER" in done.stderr
    assert "Received: s3://bucket/network.pkl.evaluation;" in done.stderr


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


def test_results_of_other_metrics_sources_and_trainings_stay(tmp_path):
    protocol = MetricProtocol(FeatureProtocol("tiny", "0", "none"), ImageProtocol(), SampleProtocol())
    first = results.Result({"fd": 1.0, "accuracy": 0.5}, protocol, "a", step=1)
    given = [
        first,
        dataclasses.replace(first, metrics={"accuracy": 0.5, "intra_fd": 3.0}),
        dataclasses.replace(first, source="b"),
        dataclasses.replace(first, metrics={"fd": 2.0, "accuracy": 0.5}),  # the run was trained anew
        dataclasses.replace(first, metrics={"fd": 4.0, "accuracy": 0.5}),
    ]
    paths = [results.keep(result, tmp_path) for result in given]
    assert len(set(paths)) == 5
    assert [results.load(path) for path in paths] == given
    assert paths[3] == paths[0].replace(".json", "-2.json")
    assert paths[4] == paths[0].replace(".json", "-3.json")
    assert results.keep(given[3], tmp_path) == paths[3]  # the same again needs no other file
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [tmp_path / line["file"] for line in lines] == [pathlib.Path(path) for path in [*paths, paths[3]]]


def test_sweeps_stay_and_the_newest_is_found_by_its_name(tmp_path):
    protocol = MetricProtocol(FeatureProtocol("tiny", "0", "none"), ImageProtocol(), SampleProtocol())
    kept = [results.Result({"fd": 1.0}, protocol, step=1), results.Result({"fd": 2.0}, protocol, step=1)]
    first = results.keep_sweep(kept, ["out/a.json", "out/b.json"], "one\n", b"plot of one", str(tmp_path))
    other = results.keep_sweep(kept, ["out/a.json", "out/c.json"], "two\n", b"plot of two", str(tmp_path))
    again = results.keep_sweep(kept, ["out/a.json", "out/c.json"], "three\n", b"plot of three", str(tmp_path))
    assert [pathlib.Path(path).read_text() for path in (first, other, again)] == ["one\n", "two\n", "three\n"]
    assert [pathlib.Path(path).with_suffix(".png").read_bytes()[8:] for path in (first, other, again)] == [
        b"one", b"two", b"three"]  # fmt: skip
    assert (tmp_path / "truncation.csv").read_text() == "three\n"
    assert pathlib.Path(first).name.startswith("truncation-step-00000001-tiny-")


@pytest.fixture(scope="module")
def workdir(generator, data_folder, tmp_path_factory):
    """The folder of a run whose generator is the tiny one."""
    folder = str(tmp_path_factory.mktemp("run"))
    config = Config(name="tiny")
    config.model, config.data.path = generator.config, data_folder
    saved_run.save(folder, config)
    return folder


@pytest.fixture(scope="module")
def classifier(data_folder, tmp_path_factory):
    """The file of a classifier of two steps."""
    path = tmp_path_factory.mktemp("classifier") / "classifier.npz"
    batches = input_pipeline.one_pass(data_folder, 32).repeat()
    small_classifier.save(small_classifier.train(batches, 32, CLASS_NAMES, num_steps=2), path)
    return path


@pytest.fixture(scope="module")
def reference_file(data_folder, classifier, tmp_path_factory):
    """The features of the real images as a file."""
    path = tmp_path_factory.mktemp("reference") / "reference.npz"
    statistics = reference_statistics.build(data_folder, load_extractor("classifier", str(classifier)))
    reference_statistics.save(statistics, path)
    return path


def refused(commands, *words):
    done = commands.run("biggan_tf.evaluate", *words)
    assert done.status == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert "%|" not in done.stderr  # no bar: nothing was computed
    return done.stderr


def test_a_run_whose_data_is_gone_is_compared_with_a_file_of_features(
    commands, generator, classifier, reference_file, tmp_path
):
    config = Config(name="tiny")
    config.model, config.data.path = generator.config, str(tmp_path / "gone")
    saved_run.save(tmp_path / "run", config)
    flags = [f"--workdir={tmp_path / 'run'}", "--features=classifier", f"--features_path={classifier}"]
    flags += ["--num_samples=4", f"--output={tmp_path / 'out'}"]
    assert f"no --data; the run's data, {tmp_path / 'gone'}, is not there" in refused(commands, *flags)
    done = commands.run("biggan_tf.evaluate", *flags, f"--reference={reference_file}")
    assert done.status == 0, done.stderr[-2000:]
    assert results.load(tmp_path / "out" / "result.json").protocol.reference.data_fingerprint == "abc"


def test_unequal_paths_are_refused_before_any_is_measured(
    commands, workdir, data_folder, generator, classifier, reference_file, tmp_path
):
    extractor, names = load_extractor("classifier", str(classifier)), ("fd", "jodi_z")
    evaluator = evaluator_lib.Evaluator(extractor, reference_statistics.load(reference_file), names, num_images=4)
    sampler = GeneratorSampler(generator)
    protocol = evaluator.protocol(sampler.protocol(4))
    paths = dataclasses.replace(evaluator.paths(sampler), num_jacobians=20)
    old = tmp_path / "old.json"
    results.save(results.Result({"jodi_z": 1.0}, dataclasses.replace(protocol, paths=paths)), old)
    flags = [f"--workdir={workdir}", f"--data={data_folder}", "--features=classifier", f"--features_path={classifier}"]
    flags += [f"--metrics={','.join(names)}", "--num_samples=4", f"--reference={reference_file}", f"--compare={old}"]
    assert "they differ in\n  - paths.num_jacobians: 4 and 20\n" in refused(commands, *flags)


def test_metrics_of_classes_are_refused_where_images_have_none(
    commands, data_folder, classifier, reference_file, tmp_path
):
    flags = [f"--data={data_folder}", "--features=classifier", f"--output={tmp_path / 'out'}"]
    (tmp_path / "export" / "assets").mkdir(parents=True)
    (tmp_path / "export" / "assets" / "labels.json").write_text("[]")
    said = refused(commands, *flags, f"--saved_model={tmp_path / 'export'}", "--metrics=fd,intra_fd")
    assert "intra_fd must be computed of a generator with the classes of the real images. Received: one with no" in said
    np.savez(tmp_path / "images.npz", arr_0=coloured_images(4)[0])
    flags += [f"--features_path={classifier}", f"--reference={reference_file}", f"--images={tmp_path / 'images.npz'}"]
    assert "Received: 4 of 4 without; put images into folders" in refused(commands, *flags, "--metrics=accuracy")


def test_a_run_that_enlarges_and_whose_data_is_gone_says_where_it_was(commands, tmp_path):
    config = super_resolution.config()
    config.data.path = str(tmp_path / "gone")
    saved_run.save(tmp_path / "run", config)
    said = refused(commands, f"--workdir={tmp_path / 'run'}", f"--output={tmp_path / 'out'}")
    assert (
        f"--data must name the large images. Received: none; the run's data, {tmp_path / 'gone'}, is not there" in said
    )


def test_what_cannot_be_measured_of_enlargements_is_refused_before_any_work(commands, tmp_path):
    made_data.write(tmp_path / "data", num_shards=1, per_shard=12)
    for factor in (2, 4):
        config = super_resolution.config()
        config.model, config.data.path = super_resolution.model(factor=factor), str(tmp_path / "data")
        saved_run.save(tmp_path / f"run{factor}", config)
    flags = [f"--workdir={tmp_path / 'run2'}", f"--output={tmp_path / 'out'}"]
    said = refused(commands, *flags, "--metrics=psnr,patch_fd", "--features=classifier")
    assert "patch_fd compares patches of half the images' size" in said
    said = refused(commands, *flags, "--metrics=psnr", f"--pixel_workdir={tmp_path / 'run4'}")
    assert "must enlarge 2 times, as the other one does. Received: super_resolution that enlarges 4 times" in said
    assert not (tmp_path / "out").exists()


def test_a_classifier_is_trained_anew_for_other_images_or_another_number_of_steps(commands, data_folder, tmp_path):
    np.savez(tmp_path / "images.npz", arr_0=coloured_images(4)[0])
    flags = [f"--images={tmp_path / 'images.npz'}", f"--data={data_folder}", "--features=classifier"]
    flags += [f"--output={tmp_path / 'out'}", "--num_real=8"]
    digests = []
    for steps in (1, 2):
        done = commands.run("biggan_tf.evaluate", *flags, f"--classifier_steps={steps}")
        assert done.status == 0, done.stderr[-2000:]
        digests.append(results.load(tmp_path / "out" / "result.json").protocol.features.weights_sha256)
    assert digests[0] != digests[1]
    assert (tmp_path / "out" / f"classifier-{digests[0][:8]}.npz").exists()


@pytest.mark.slow
def test_a_sweep_keeps_a_result_for_each_truncation_and_says_what_its_numbers_lack(
    commands, workdir, data_folder, classifier, tmp_path
):
    flags = [f"--workdir={workdir}", f"--data={data_folder}", "--features=classifier", f"--features_path={classifier}"]
    flags += ["--metrics=fd,kid,prdc", "--num_samples=24", "--sweep=0.5,1", f"--output={tmp_path}"]
    for _ in range(2):
        done = commands.run("biggan_tf.evaluate", *flags)
        assert done.status == 0, done.stderr[-2000:]
    assert done.stdout.startswith("truncation,fd_classifier")
    assert "needs more than" in done.stdout
    assert "there are 24 generated" in done.stdout
    for name in ("kid", "prdc, real images", "prdc, samples", "prdc, both", "samples"):
        assert f"{name}: 100%" in done.stderr, name
    kept = [results.load(path) for path in tmp_path.glob("result-*.json")]
    assert sorted(result.protocol.samples.truncation for result in kept) == ["resampling 0.5", "resampling 1"]
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 4
    (own,) = tmp_path.glob("truncation-*.csv")
    assert own.read_bytes() == (tmp_path / "truncation.csv").read_bytes()
    assert own.with_suffix(".png").exists()


@pytest.mark.slow
def test_what_cannot_be_is_refused_before_any_work(commands, workdir, data_folder, tmp_path):
    protocol = MetricProtocol(
        FeatureProtocol("classifier", "0" * 64, "none, 32 pixels"),
        ImageProtocol("abc", "train", "test-1", 32, 96),
        SampleProtocol(num_images=24, seed=5),
    )
    old = tmp_path / "old.json"
    results.save(results.Result({"fd_classifier": 1.0}, protocol), old)
    common = [f"--data={data_folder}", "--features=classifier", "--num_samples=24", f"--output={tmp_path / 'out'}"]
    run = [*common, f"--workdir={workdir}"]
    cases = [
        ([*run, f"--compare={old}"], "samples.seed: 0 and 5"),
        ([*run, "--seed=5", "--num_real=48", f"--compare={old}"], "reference.num_images: 48 and 96"),
        ([*run, "--seed=5", "--truncation=0.5", f"--compare={old}"], "samples.truncation: 'resampling 0.5' and 'none'"),
        ([*run, "--seed=5", "--features=efficientnet_lite0", f"--compare={old}"], "'efficientnet_lite0' and"),
        ([*run, "--sweep=0.5,1", f"--compare={old}"], "--sweep gives a result for each truncation"),
        ([*common, f"--images={tmp_path}", "--sweep=0.5"], "--sweep needs a generator"),
        ([*common, f"--images={tmp_path}", "--metrics=fd,ppl"], "ppl needs a generator"),
    ]
    for flags, text in cases:
        done = commands.run("biggan_tf.evaluate", *flags)
        assert done.status == 2
        assert text in done.stderr
        assert "Traceback" not in done.stderr
        assert "%|" not in done.stderr  # no bar: nothing was computed
    assert not (tmp_path / "out").exists()  # no classifier was trained


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
