"""The metrics of a generator with styles as `biggan_tf.evaluate` asks for them."""

import dataclasses
from unittest import mock

import numpy as np
import pytest

from biggan_tf.evaluation.evaluator import Evaluator
from biggan_tf.evaluation.metrics import feature_bank, reference_statistics
from biggan_tf.evaluation.protocol import PathProtocol, ProtocolMismatchError, metric_protocol_from_dict
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from tests.biggan_tf.families.stylegan2 import smallest
from tests.biggan_tf.families.stylegan3 import smallest as stylegan3

NAMES = ("ppl_w_end", "ppl_z_full", "jodi_w")


@pytest.fixture(scope="module")
def made():
    return smallest.model(resolution=32, num_classes=0).generator()


@pytest.fixture(scope="module")
def evaluator(data_folder, extractor):
    reference = reference_statistics.build(data_folder, extractor, num_images=8)
    return Evaluator(extractor, reference, NAMES, 8)


@pytest.fixture(scope="module")
def result(evaluator, made):
    needless = AssertionError("these metrics draw images of their own, and need no others")
    with mock.patch.object(feature_bank, "collect", side_effect=needless):
        return evaluator.evaluate(GeneratorSampler(made))


def test_numbers_are_named_after_their_features_and_the_protocol_says_how(result):
    features = result.protocol.features.features
    assert set(result.metrics) == {f"ppl_w_end_{features}", f"ppl_z_full_{features}", "jodi_w"}
    assert all(np.isfinite(value) and value > 0 for value in result.metrics.values())
    assert result.protocol.paths == PathProtocol(
        num_pairs=8,
        epsilon=1e-4,
        images="box to 256, no crop",
        num_jacobians=8,
        kept="percentiles 1 to 99",
        jacobians="all directions, forward mode",
        ways_in_z="great circle that keeps lengths",
    )


def test_the_protocol_of_paths_is_known_before_any_is_measured(evaluator, result, made):
    assert evaluator.paths(GeneratorSampler(made)) == result.protocol.paths


def test_the_protocol_of_equivariance_says_what_was_moved_how(data_folder, extractor):
    made = stylegan3.model(resolution=32, num_classes=0).generator()
    reference = reference_statistics.build(data_folder, extractor, num_images=8)
    result = Evaluator(extractor, reference, ("equivariance",), 8).evaluate(GeneratorSampler(made, batch_size=4))
    assert set(result.metrics) == {"eq_t_integer", "eq_t_fractional", "eq_r"}
    motions = "shifts to 0.125 of the width, turns to 180 degrees, one of each kind for 4 images"
    assert result.protocol.paths == PathProtocol(num_moved=8, motions=motions)


def test_a_protocol_of_before_has_no_paths(result):
    values = dataclasses.asdict(result.protocol)
    del values["paths"]
    assert metric_protocol_from_dict(values).paths == PathProtocol()


def test_numbers_of_other_steps_are_not_compared(result):
    def with_paths(paths):
        return dataclasses.replace(result, protocol=dataclasses.replace(result.protocol, paths=paths))

    assert results.compare(result, with_paths(PathProtocol()))
    with pytest.raises(ProtocolMismatchError, match=r"paths.epsilon: 0.0001 and 0.001"):
        results.compare(result, with_paths(dataclasses.replace(result.protocol.paths, epsilon=1e-3)))
