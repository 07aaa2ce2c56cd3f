"""The numbers of the study of the loss scale."""

import numpy as np

from biggan_tf.studies.execution import perform
from biggan_tf.studies.registry import load
from tests.biggan_tf.studies.models import context_of, studied
from tests.biggan_tf.studies.small_results import small_result


def test_the_shares_are_those_of_the_normal_distribution():
    numbers = small_result("loss_scale").numbers
    assert numbers["largest_difference"] < 0.02
    assert np.all(np.diff(numbers["lost_share"]) <= 0)
    assert np.all(np.diff(numbers["overflowed_share"]) >= 0)
    assert numbers["lost_share"][0] > 0.95
    assert numbers["overflowed_share"][-1] > 0.5


def test_the_schedule_ends_where_little_is_lost_from_either_end():
    result = small_result("loss_scale")
    assert set(result.numbers["scale_at_the_end"]) == {"from 2^0", "from 2^24"}
    assert max(result.numbers["lost_share_at_the_end"].values()) < 0.06
    assert max(result.numbers["skipped_share_in_the_last_half"].values()) < 0.15
    assert result.holds


def test_a_model_has_gradients_of_both_networks():
    numbers = perform(load("loss_scale"), context_of(studied())).numbers
    for network in ("G", "D"):
        assert numbers["largest_gradient_of_the_game"][network] > 0
        assert np.all(np.diff(numbers["lost_share_of_the_game"][network]) <= 0)
