"""The numbers of the study of classes that share a batch norm."""

import numpy as np
import pytest

from biggan_tf.evaluation.reports import class_leakage
from biggan_tf.studies.class_leakage import expected_error
from biggan_tf.studies.contract import StudyError
from biggan_tf.studies.execution import perform
from biggan_tf.studies.registry import load
from tests.biggan_tf.families.stylegan2 import smallest
from tests.biggan_tf.studies.models import context_of, studied
from tests.biggan_tf.studies.small_results import small_result


def test_the_formula_is_that_of_a_mixture():
    share, distance = 0.25, 2.0
    values = np.random.default_rng(0).standard_normal(400_000)
    rare, frequent = values[:100_000] + distance, values[100_000:]
    both = np.concatenate([rare, frequent])
    error = np.mean(((rare - both.mean()) / both.std() - (rare - rare.mean()) / rare.std()) ** 2)
    np.testing.assert_allclose(expected_error(np.array([share]), distance)[0], error, rtol=0.01)


def test_the_layer_errs_as_the_formula_says():
    result = small_result("class_leakage")
    assert result.numbers["largest_relative_difference"] < 0.08
    for values in result.numbers["error_by_distance"].values():
        assert np.all(np.diff(values) < 0)
        assert values[-1] < 1e-6
    assert result.numbers["error_by_distance"]["2"][0] > 6 * result.numbers["error_by_distance"]["0.5"][0]


def test_a_model_is_measured_as_the_report_of_a_run_measures_it():
    model = studied()
    numbers = perform(load("class_leakage"), context_of(model)).numbers["batch_norms_of_the_model"]
    expected = class_leakage.measure(model.generator, [0, 1, 2], images_per_class=4)
    assert [each.name for each in expected] == list(numbers)
    for each in expected:
        assert numbers[each.name]["variance_between_classes"] == each.between_share


def test_a_model_without_batch_norm_is_refused():
    with pytest.raises(StudyError, match="no batch norm"):
        perform(load("class_leakage"), context_of(studied(smallest.model())))
