"""The numbers of the study of a classifier's answers in D."""

import numpy as np
import pytest

from biggan_tf.studies.classifier_help import ALONE, USEFUL, USELESS, PointClassifier, best_logits
from tests.biggan_tf.studies.small_results import small_result


def test_no_discriminator_beats_the_best_one():
    numbers = small_result("classifier_help").numbers
    assert numbers["smallest_excess"] > -0.05
    assert 0.0 < numbers["best_loss"] < 2.0 * np.log(2.0)


def test_the_joining_layer_speeds_d_up_whatever_the_classifier_knows():
    last = small_result("classifier_help").numbers["last_excess"]
    assert last[USEFUL] < last[ALONE] - 0.1
    assert last[USELESS] < last[ALONE] - 0.1
    assert last[USEFUL] == pytest.approx(last[USELESS], abs=0.1)


def test_the_best_logit_is_high_in_a_cloud_and_low_between_them():
    corner, middle = best_logits(np.array([[[[0.6, 0.6, 0.6]]], [[[0.0, 0.0, 0.0]]]]))
    assert corner > 0.0 > middle


def test_a_point_classifier_prefers_the_nearest_cloud():
    classifier = PointClassifier(np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), 0.5)
    answers = np.asarray(classifier(np.array([[[[0.9, 0.0, 0.0]]]], np.float32)))
    np.testing.assert_allclose(answers, [[-0.81 / 0.5, -0.01 / 0.5]], rtol=1e-5)
