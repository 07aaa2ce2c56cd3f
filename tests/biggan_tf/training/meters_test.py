import json

import pytest

from biggan_tf.training.meters import Meters


def test_means_and_latest_values_over_the_steps():
    meters = Meters(0)
    for step, loss in enumerate([1.0, 2.0, 6.0], 1):
        meters.add({"loss": loss, "learning_rate": loss, **({"rare": 5.0} if step == 2 else {})})
    means, steps, elapsed = meters.take(3)
    assert means == {"loss": 3.0, "learning_rate": 6.0, "rare": 5.0}
    assert steps == 3
    assert elapsed > 0
    assert meters.take(3)[:2] == ({}, 0)


def test_values_that_are_not_finite_are_left_out():
    meters = Meters(0)
    for norm, index in ((1.0, -1.0), (float("inf"), 3.0), (float("nan"), 5.0), (3.0, -1.0)):
        meters.add({"d_gradient_norm": norm, "d_bad_gradient": index, "never": float("nan")})
    assert meters.take(4)[0] == {"d_gradient_norm": 2.0, "d_bad_gradient": -1.0}


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_stop_between_two_lines_changes_no_bit(stop):
    values = [0.1, 0.7, 1e-9, 3.3, -2.5, 1e17, 0.3, float("inf")]
    straight = stopped = Meters(100)
    stopped = Meters(100)
    for step, value in enumerate(values, 101):
        straight.add({"loss": value})
        stopped.add({"loss": value})
        if step == 100 + stop:
            stopped = Meters(step, json.loads(json.dumps(stopped.collected(step))))
    assert stopped.take(108)[:2] == straight.take(108)[:2]


def test_time_before_the_stop_counts():
    meters = Meters(5, {"elapsed_s": [100.0, 3.0, 0.0], "loss": [6.0, 3.0, 2.0]})
    meters.add({"loss": 2.0})
    means, steps, elapsed = meters.take(6)
    assert (means, steps) == ({"loss": 2.0}, 4)
    assert 100 <= elapsed < 101


def test_nothing_is_stored_right_after_a_line():
    meters = Meters(0)
    meters.add({"loss": 1.0})
    meters.take(1)
    assert meters.collected(1) == {}
