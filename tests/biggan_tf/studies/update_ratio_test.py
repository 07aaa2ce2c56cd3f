"""The numbers of the study of updates and learning rates."""

import numpy as np

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
    one, eight = np.array([1]), np.array([8])

    def path(d_updates, rates):
        games = SmallGames(np.random.default_rng(0), d_updates, np.ones_like(d_updates), rates)
        return games.play(20)

    alone = path(one, np.array([0.1]))
    together = path(np.concatenate([one, eight]), np.array([0.1, 0.4]))
    np.testing.assert_allclose(together.path[:, 0], alone.path[:, 0], rtol=1e-9)
    assert not np.allclose(together.path[:, 1], alone.path[:, 0])
    assert CONVERGED not in alone.kind
