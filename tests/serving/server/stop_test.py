"""SIGTERM while many clients wait: what has begun is answered, and the process ends soon after."""

import signal
import time

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2

from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import wait_for
from tests.serving.server.hostile_requests_test import good_request
from tests.serving.server.metrics_labels_test import monitoring, page
from tests.serving.server.model_server_test import give_signal_to_another_thread
from tests.serving.server_process import started

_STOPS, _CLIENTS = 6, 16
_PREDICT = "/tensorflow.serving.PredictionService/Predict"


def drawn(answer):
    response = predict_pb2.PredictResponse.FromString(answer)
    return [response.outputs[name].SerializeToString(deterministic=True) for name in sorted(response.outputs)]


def stop_under_load(folder, base, gate, expected):
    """Returns (how many of the requests in flight were answered as expected, the seconds from the last answer on)."""
    port, rest = free_port(), free_port()
    flags = ["--model_name=small", f"--model_base_path={base}", f"--rest_api_port={rest}"]
    flags.append(f"--monitoring_config_file={monitoring(folder)}")
    gate.touch()
    with started(folder / "log", port, *flags) as server:
        channels = [
            grpc.insecure_channel(server.target, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(_CLIENTS)
        ]
        calls = [channel.unary_unary(_PREDICT) for channel in channels]
        for seed, call in enumerate(calls):
            expected.setdefault(seed, drawn(call(good_request(seed).SerializeToString(), timeout=60)))
        gate.unlink()
        answers = [call.future(good_request(seed).SerializeToString(), timeout=120) for seed, call in enumerate(calls)]
        wait_for(lambda: f":requests_in_flight{{}} {_CLIENTS}\n" in page(rest), 60)
        give_signal_to_another_thread(server.process.pid, signal.SIGTERM)
        time.sleep(1.0)
        assert server.is_running()
        assert not any(answer.done() for answer in answers)
        gate.touch()
        held = sum(drawn(answer.result()) == expected[seed] for seed, answer in enumerate(answers))
        answered = time.monotonic()
        assert server.process.wait(timeout=60) == 0
        seconds = time.monotonic() - answered
        for channel in channels:
            channel.close()
    return held, seconds


@pytest.mark.slow
@pytest.mark.attack
def test_what_sixteen_clients_have_begun_is_answered_after_sigterm(tmp_path, attack):
    gate, base = tmp_path / "open", tmp_path / "models"
    base.mkdir()
    small_model.write(str(base), 1, warmup=False, model=small_model.GatedModel(1, gate))
    expected, held, seconds = {}, 0, []
    for _ in range(_STOPS):
        answered, took = stop_under_load(tmp_path, base, gate, expected)
        held += answered
        seconds.append(took)
    assert held == _STOPS * _CLIENTS
    assert max(seconds) < 8, seconds
    outcome = f"{held} of {_STOPS * _CLIENTS} answered with the right bytes; the slowest of {_STOPS} stops took "
    outcome += f"{max(seconds):.1f} s after the last answer"
    attack("server", f"SIGTERM while {_CLIENTS} gRPC requests run, {_STOPS} times", _STOPS * _CLIENTS, held, outcome)
