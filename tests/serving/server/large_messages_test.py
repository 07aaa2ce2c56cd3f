import concurrent.futures
import threading

import grpc
import pytest

from serving.server import large_messages
from serving.server.large_messages import MessageBudget
from serving.server.status import ServingError
from tests.serving.embedded import wait_for

MIB = 2**20


def test_a_few_large_requests_wait_and_the_others_are_refused_at_once():
    budget, release = MessageBudget(MIB), threading.Event()
    most = large_messages._MAX_WAITING

    def spend():
        with budget.spend(MIB, None):
            release.wait(30)

    with concurrent.futures.ThreadPoolExecutor(most + 1) as pool:
        calls = [pool.submit(spend) for _ in range(most + 1)]
        wait_for(lambda: budget._waiting == most, 10)
        for _ in range(300):
            with pytest.raises(ServingError, match="it is reading other large requests") as caught:
                budget.spend(MIB, None).__enter__()
            assert caught.value.code is grpc.StatusCode.UNAVAILABLE
        with budget.spend(1000, None):  # a small one needs no budget
            pass
        release.set()
        for call in calls:
            call.result(30)
    assert (budget._waiting, budget._left) == (0, MIB)
    with budget.spend(MIB, None):
        assert budget._left == 0


def test_a_wait_ends_with_the_deadline_of_its_request():
    budget = MessageBudget(MIB)
    with budget.spend(MIB, None), pytest.raises(ServingError, match="Retry later"):
        budget.spend(MIB, 0.01).__enter__()
    assert (budget._waiting, budget._left) == (0, MIB)
