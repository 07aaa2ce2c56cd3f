"""The numbers of the study of critics and optimal transport."""

import numpy as np
import pytest

from biggan_tf.studies.critic_transport import mean_cosine, optimal_map
from tests.biggan_tf.studies.small_results import small_result


@pytest.mark.slow
def test_the_critic_lines_up_with_the_transport_between_clouds_that_are_apart():
    numbers = small_result("critic_transport").numbers
    for cosines in numbers["cosines"]["clouds apart"].values():
        assert cosines[-1] > 0.8
        assert cosines[-1] > cosines[0]
    assert numbers["last_cosines"]["clouds apart"]["gradient penalty"] > 0.9
    assert small_result("critic_transport").holds


@pytest.mark.slow
def test_the_gradient_penalty_gives_the_critic_the_slope_of_a_wasserstein_critic():
    numbers = small_result("critic_transport").numbers
    assert numbers["last_lengths"]["clouds apart"]["gradient penalty"] == pytest.approx(1.0, abs=0.25)


def test_the_optimal_map_moves_the_points_the_least_in_sum():
    fakes, reals = np.array([[0.0], [1.0], [2.0]]), np.array([[2.1], [0.1], [1.1]])
    np.testing.assert_allclose(optimal_map(fakes, reals), [[0.1], [1.1], [2.1]])
    assert mean_cosine(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0], [1.0, 0.0]])) == pytest.approx(0.5)
