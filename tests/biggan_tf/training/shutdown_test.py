import os
import signal

import pytest

from biggan_tf.training.shutdown import Shutdown


@pytest.fixture
def handled():
    """Signals that reach the handlers from before the test."""
    seen = []
    before = {n: signal.signal(n, lambda number, frame: seen.append(number)) for n in (signal.SIGTERM, signal.SIGINT)}
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_is_a_wish_and_the_second_acts_as_before(handled, number):
    with Shutdown() as shutdown:
        assert not shutdown.requested
        os.kill(os.getpid(), number)
        assert shutdown.requested
        assert handled == []
        os.kill(os.getpid(), number)
        assert handled == [number]


def test_handlers_are_put_back(handled):
    with Shutdown():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert handled == [signal.SIGTERM]
