"""The numbers of the study of updates and learning rates."""

import numpy as np
import scipy.special

from biggan_tf.studies.update_ratio import CONVERGED, SmallGames
from tests.biggan_tf.studies.small_results import small_result


def test_every_state_occurs_in_the_plane_of_updates_and_rates():
    result = small_result("update_ratio")
    assert set(result.numbers["shares"]) == {"converged", "oscillating", "dead"}
    assert all(share > 0.02 for share in result.numbers["shares"].values())
    assert np.isclose(sum(result.numbers["shares"].values()), 1.0)
    assert result.holds


def test_the_rate_alone_tells_no_fewer_states_than_the_most_frequent_one():
    numbers = small_result("update_ratio").numbers
    assert numbers["told_by_rate_alone"] >= numbers["largest_share"]
    assert numbers["told_by_product"] >= numbers["largest_share"]


def test_games_do_not_disturb_one_another():
    def path(rates, d_steps=1):
        return SmallGames(np.random.default_rng(0), d_steps, 1, np.array(rates)).play(20)

    alone, together = path([0.1]), path([0.1, 0.4])
    np.testing.assert_allclose(together.path[:, 0], alone.path[:, 0], rtol=1e-9)
    assert not np.allclose(together.path[:, 1], alone.path[:, 0])
    assert not np.allclose(path([0.1], d_steps=8).path, alone.path)
    assert CONVERGED not in alone.kind


def test_the_first_step_is_that_of_the_hinge_losses():
    cloud = 0.3 * np.sqrt(2.0) * scipy.special.erfinv(2.0 * (np.arange(16) + 0.5) / 16 - 1.0)
    random = np.random.default_rng(0)
    w, b, v = (0.5 * random.standard_normal(8) for _ in range(3))

    def logit(x):
        return np.tanh(x[:, None] * w + b) @ v

    def slope(x):
        return (1 - np.tanh(x[:, None] * w + b) ** 2) @ (v * w)

    # With a rate of 0 D stays, and G moves by 0.3 times the mean slope, twice: L_G = -E[D(G(z))].
    games = SmallGames(np.random.default_rng(0), 1, 2, np.array([0.0]))
    centre = 2.0
    for _ in range(2):
        centre += 0.3 * slope(cloud + centre).mean()
    np.testing.assert_allclose(games.play(1).path, [[centre]], rtol=1e-12)
    # D's last layer after one step of rate 0.1: dL/dv of E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))].
    games = SmallGames(np.random.default_rng(0), 1, 1, np.array([0.1]))
    games.play(1)
    reals, fakes = np.tanh(cloud[:, None] * w + b), np.tanh((cloud + 2.0)[:, None] * w + b)
    gradient = -((1 - logit(cloud) > 0)[:, None] * reals).mean(0) + (
        (1 + logit(cloud + 2.0) > 0)[:, None] * fakes
    ).mean(0)
    np.testing.assert_allclose(games._weights[2][0], v - 0.1 * gradient, rtol=1e-12)
