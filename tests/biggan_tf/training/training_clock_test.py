import time

import pytest

from biggan_tf.training.training_clock import PROCESSOR, WALL, TrainingClock, reading


def test_waiting_takes_time_of_the_wall_and_none_of_the_processor():
    wall, processor = reading(WALL), reading(PROCESSOR)
    time.sleep(0.3)
    assert reading(WALL) - wall >= 0.3
    assert reading(PROCESSOR) - processor < 0.2


def test_computing_takes_time_of_the_processor():
    before = reading(PROCESSOR)
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert reading(PROCESSOR) - before > 0.0


def test_seconds_add_up_and_go_on_after_a_resume():
    clock = TrainingClock(10.0)
    clock.add(2.0)
    clock.add(0.5)
    assert clock.seconds == 12.5


def test_a_step_that_was_compiled_first_is_not_counted():
    clock = TrainingClock()
    clock.add(30.0, compiled=True)
    clock.add(1.0)
    assert clock.seconds == 1.0


def test_each_multiple_is_passed_once():
    clock = TrainingClock()
    passed = []
    for _ in range(20):
        clock.add(0.25)
        passed.append(clock.passed(1.0))
    assert [index for index, value in enumerate(passed) if value] == [3, 7, 11, 15, 19]


def test_a_step_that_is_longer_than_the_interval_passes_it_once():
    clock = TrainingClock()
    clock.add(3.5)
    assert clock.passed(1.0)
    clock.add(0.25)
    assert not clock.passed(1.0)


def test_a_resumed_run_does_not_pass_again_what_it_had_passed():
    clock = TrainingClock(4.0)
    assert not clock.passed(1.0)
    clock.add(0.5)
    assert not clock.passed(1.0)


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_without_an_interval_or_limit_nothing_is_passed(seconds):
    clock = TrainingClock()
    clock.add(seconds)
    assert not clock.passed(0.0)
    assert not clock.reached(0.0)


def test_a_limit_is_reached():
    clock = TrainingClock()
    clock.add(1.0)
    assert not clock.reached(1.5)
    clock.add(0.5)
    assert clock.reached(1.5)
