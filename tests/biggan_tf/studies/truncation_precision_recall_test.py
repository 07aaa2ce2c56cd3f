"""The numbers of the study of precision and recall in balls of latents."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from biggan_tf.studies.contract import StudyContext
from biggan_tf.studies.execution import perform
from biggan_tf.studies.generated_images import latents_in_ball
from biggan_tf.studies.registry import load
from biggan_tf.studies.truncation_precision_recall import knee, told_of
from tests.biggan_tf.studies.small_results import small_result


def test_latents_lie_in_the_ball_and_are_normal_in_a_large_one():
    small = latents_in_ball(np.random.default_rng(0), 2000, 16, 0.5)
    assert np.linalg.norm(small, axis=1).max() <= 0.5 * 4.0 + 1e-5
    large = latents_in_ball(np.random.default_rng(0), 2000, 16, 10.0)
    assert kstest(large[:, 0], norm.cdf).pvalue > 0.01


def test_the_knee_is_the_corner_of_a_curve():
    corner = np.array([[1.0, 0.0], [0.98, 0.3], [0.95, 0.45], [0.8, 0.5], [0.5, 0.5]])
    assert knee(corner) == 2


def test_a_generator_that_sees_the_direction_of_z_alone_is_said_to_be_one():
    moving = np.linspace([0.9, 0.1], [0.7, 0.4], 7)
    assert "precision goes from 0.70 to 0.90 and recall from 0.40 to 0.10" in told_of("the model", moving, 1.0)
    assert "the radius changes nothing" in told_of("the model", np.repeat(moving[:1], 7, axis=0), 0.2)


def test_the_scores_are_shares_and_decide_whether_the_claim_holds():
    result = small_result("truncation_precision_recall")
    for part in ("precision", "recall"):
        (values,) = result.numbers[part].values()
        assert np.all((values >= 0) & (values <= 1))
    assert result.holds == all(result.numbers["trades"].values())


@pytest.mark.slow
def test_a_trained_generator_trades_recall_for_precision():
    result = perform(load("truncation_precision_recall"), StudyContext(budget="full"))
    (precision,), (recall,) = result.numbers["precision"].values(), result.numbers["recall"].values()
    assert precision[0] > precision[-1] + 0.02
    assert recall[0] < 0.5 * recall[-1]
    assert result.holds
