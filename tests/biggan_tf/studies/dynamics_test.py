"""The numbers of the study of a game's dynamics."""

import numpy as np
import pytest

from biggan_tf.evaluation.metrics.game_interaction import growth_factor
from tests.biggan_tf.studies.small_results import small_result, told_by_command


def test_the_growth_is_that_of_the_eigenvalues():
    # The update of (phi, theta) by one pair of singular vectors: I - eta [[alpha, s], [-s, alpha]].
    update = np.eye(2) - 0.07 * np.array([[1.0, 4.0], [-4.0, 1.0]])
    found = growth_factor(np.array([0.07]), 1.0, 4.0)
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(update)) ** 2, found.repeat(2), rtol=1e-12)


@pytest.mark.slow
def test_the_measured_growth_and_the_noise_floor_are_those_of_the_formulas():
    numbers = small_result("dynamics").numbers
    assert numbers["largest_difference_of_r"] < 0.01
    assert numbers["largest_relative_difference_of_floor"] < 0.2
    crossing = np.interp(1.0, numbers["r_measured"][6:], numbers["learning_rates"][6:])
    np.testing.assert_allclose(crossing, 2 / 17, rtol=0.01)


@pytest.mark.slow
def test_the_claim_fails_at_untrained_networks_that_grow_or_have_shortcuts(commands, tmp_path):
    told = told_by_command(commands, "dynamics", tmp_path)
    numbers, values = told["numbers"], told["numbers"]["largest_singular_value"]
    # 0.056, 0.046 and 0.058 at 4, 8 and 16 pixels, where the claim wants each below the next one.
    assert values["grown to 4"] > 1.1 * values["grown to 8"]
    # 0.0533 with shortcuts and 0.0521 without, where the claim wants the former below the latter.
    assert values["residual D"] > 1.01 * values["plain D"]
    assert not numbers["growth_lowers_r"]
    assert not numbers["skips_lower_r"]
    assert not told["holds"]
    assert "growing does not keep it lower" in told["paragraph"]
    assert "shortcuts do not lower it" in told["paragraph"]
    for name, limit in numbers["largest_stable_rate"].items():
        # r = 1 there: (1 - eta alpha)^2 + (eta s)^2 = 1 with alpha = 1.
        assert growth_factor(limit, 1.0, values[name]) == pytest.approx(1.0, abs=1e-6)
