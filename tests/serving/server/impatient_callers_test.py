"""Callers with short deadlines, whose requests share batches with those of others."""

import collections
import threading
import time

import grpc
import pytest

from tests.serving import small_model
from tests.serving.embedded import running
from tests.serving.server.hostile_requests_test import good_request

_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_SECONDS = 4


def call_until(end, target, send):
    with grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.unary_unary(_PREDICT)
        while time.monotonic() < end:
            send(call)


@pytest.mark.attack
def test_a_deadline_of_one_caller_does_not_fail_the_batch_of_the_others(tmp_path, attack):
    small_model.write(str(tmp_path), 1, model=small_model.SlowModel(1, 0.01))
    batching = tmp_path / "batching"
    batching.write_text(
        "max_batch_size { value: 8 } batch_timeout_micros { value: 2000 } num_batch_threads { value: 2 }"
    )
    codes, request = collections.Counter(), good_request().SerializeToString()
    impatient = []

    def patient_call(call):
        try:
            call(request, timeout=20)
            codes["OK"] += 1
        except grpc.RpcError as error:
            codes[f"{error.code().name}: {error.details()[:60]}"] += 1

    def impatient_calls(call):
        answers = [call.future(request, timeout=0.005 * (i % 6 + 1)) for i in range(6)]
        impatient.extend(answer.code() for answer in answers)

    options = {"enable_batching": True, "batching_parameters_file": str(batching)}
    with running(model_base_path=str(tmp_path), **options) as (_, target):
        end = time.monotonic() + _SECONDS
        sends = [patient_call] * 4 + [impatient_calls] * 2
        threads = [threading.Thread(target=call_until, args=(end, target, send)) for send in sends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert impatient.count(grpc.StatusCode.DEADLINE_EXCEEDED) > 20
    assert set(codes) == {"OK"}, codes
    assert codes["OK"] > 20
    outcome = f"0 failed of {codes['OK']} patient requests in the same batches"
    attack("server", "calls with deadlines of 5 to 30 ms", len(impatient), len(impatient), outcome)
