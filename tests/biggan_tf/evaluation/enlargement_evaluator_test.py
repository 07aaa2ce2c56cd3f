"""The evaluation of generators that enlarge images: its table, its protocol and its sheet."""

import json

import keras
import numpy as np
import pytest

from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator, sheet
from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol
from biggan_tf.evaluation.protocol import ProtocolMismatchError
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.training.checkpoints.deciding_metric import name_and_direction
from tests.biggan_tf.families.r3gan import smallest as r3gan
from tests.biggan_tf.families.super_resolution import smallest
from tests.data import made_data

NAMES = ("psnr", "ssim", "sharpness")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=2, per_shard=6)
    return str(folder)


@pytest.fixture(scope="module")
def generator():
    return smallest.model().generator()


@pytest.fixture(scope="module")
def result(data, generator):
    return EnlargementEvaluator(NAMES, data, "train", 10, batch_size=4).evaluate(generator, step=3)


def test_references_stand_in_the_same_table(result):
    assert set(result.metrics) == {
        *NAMES,
        *(f"{way}_{name}" for way in ("bicubic", "nearest") for name in NAMES),
        "truth_sharpness",
    }
    lines = results.table(result).splitlines()
    assert lines[0].split() == ["generator", "bicubic", "nearest", "truth"]
    assert lines[1].split()[0] == "psnr"
    assert len(lines[1].split()) == 4
    assert len(lines[3].split()) == 5


def test_a_reference_is_the_formula(data, result):
    images = np.stack([made_data.image_of(index % 3, index) for index in range(10)])
    small = smallest.model().generator().reduce(images / np.float32(127.5) - 1)
    nearest = np.repeat(np.repeat(np.rint((np.asarray(small) + 1) * 127.5), 2, 1), 2, 2)
    error = np.square(nearest - images).reshape(10, -1).mean(1)
    assert result.metrics["nearest_psnr"] == pytest.approx((10 * np.log10(255**2 / error)).mean(), rel=1e-5)


def test_a_result_comes_back_and_others_are_not_compared_with_it(result, data, tmp_path):
    results.save(result, tmp_path / "result.json")
    assert results.load(tmp_path / "result.json") == result
    assert json.loads((tmp_path / "result.json").read_text())["protocol"]["fidelity"]["enlargement"] == 2
    other = EnlargementEvaluator(NAMES, data, "train", 10).evaluate(smallest.model(factor=4).generator())
    with pytest.raises(ProtocolMismatchError, match=r"fidelity\.enlargement: 4 and 2"):
        results.compare(other, result)


def test_a_sheet_has_a_column_for_each_way(data, generator):
    evaluator = EnlargementEvaluator(NAMES, data, "train", 10)
    columns = evaluator.columns(generator, generator, rows=2)
    assert list(columns) == ["input", "bicubic", "pixel loss", "generator", "truth"]
    assert {pictures.shape for pictures in columns.values()} == {(2, 8, 8, 3)}
    np.testing.assert_array_equal(columns["truth"][1], made_data.image_of(1, 1))
    np.testing.assert_array_equal(columns["pixel loss"], columns["generator"])
    assert sheet(columns).size[0] > 5 * 96
    assert list(evaluator.columns(generator)) == ["input", "bicubic", "generator", "truth"]
    with pytest.raises(ValueError, match=r"must enlarge 2 times.*super_resolution that enlarges 4 times"):
        evaluator.columns(generator, smallest.model(factor=4).generator())


def test_higher_psnr_is_better():
    assert name_and_direction({"psnr": 30.0}) == ("psnr", False)


def test_what_cannot_be_measured_is_told(data, generator):
    with pytest.raises(ValueError, match=r"enlarges images, such as super_resolution.*Received: r3gan"):
        EnlargementEvaluator(NAMES, data).evaluate(r3gan.model().generator())
    with pytest.raises(ValueError, match="patch_fd needs an extractor"):
        EnlargementEvaluator(("patch_fd",), data)
    with pytest.raises(ValueError, match="draws none from a seed alone"):
        GeneratorSampler(generator)


def flat(size, resolution=0):
    """An extractor whose features are the pixels of images of a size."""
    images = keras.Input((size, size, 3))
    pixels = keras.layers.Flatten()(images)
    protocol = FeatureProtocol("classifier", "0" * 64, "none")
    network = keras.Model(images, (pixels, pixels))
    return FeatureExtractor(protocol, network, lambda x: x, "fd", resolution=resolution)


def test_patches_must_have_the_size_that_the_extractor_takes(data):
    EnlargementEvaluator(("patch_fd",), data, extractor=flat(4, resolution=4))
    with pytest.raises(ValueError, match=r"extractor of images of 4 pixels.*Received: classifier of 8 pixels"):
        EnlargementEvaluator(("patch_fd",), data, extractor=flat(8, resolution=8))
    EnlargementEvaluator(("psnr",), data, extractor=flat(8, resolution=8))  # which is not asked for features


def test_too_few_patches_for_a_covariance_are_said_aloud(data, generator):
    names = ("patch_fd", "sharpness")
    result = EnlargementEvaluator(names, data, "train", 10, flat(4), batch_size=4).evaluate(generator)
    (remark,) = result.remarks
    assert remark.startswith("The covariance of 48 features needs more than 48 patches; there are 40 enlarged and 40")
    assert remark.endswith("compare it with distances of as many patches alone.")
    assert result.metrics["patch_fd"] >= 0
    assert result.metrics["truth_sharpness"] > 0
    assert EnlargementEvaluator(("psnr",), data, "train", 4).evaluate(generator).remarks == ()


@pytest.mark.slow
def test_map_distance_is_measured(data, generator):
    values = EnlargementEvaluator(("map_distance",), data, "train", 4).evaluate(generator).metrics
    assert 0 < values["map_distance"] < 4
    assert np.isfinite(list(values.values())).all()
