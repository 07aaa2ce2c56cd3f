"""Malformed requests by the thousand, overload, and what must still be right afterwards."""

import concurrent.futures
import gc
import http.client
import itertools
import json
import random
import socket
import threading
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving.client import GeneratorClient
from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import resident_mib, running, wait_for

_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_SENSIBLE = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INTERNAL,  # what gRPC itself answers to bytes that are no message
    grpc.StatusCode.UNIMPLEMENTED,
}


def batching_file(folder):
    path = folder / "batching"
    path.write_text("max_batch_size { value: 4 } max_enqueued_batches { value: 2 } num_batch_threads { value: 1 }")
    return str(path)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    base = tmp_path_factory.mktemp("hostile")
    small_model.write(str(base), 1)
    batching = batching_file(tmp_path_factory.mktemp("config"))
    options = {"enable_batching": True, "batching_parameters_file": batching, "rest_api_port": free_port()}
    with running(model_base_path=str(base), **options) as (server, target):
        yield server, target, options["rest_api_port"]


def good_request(seed=1):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "small"
    for alias, value, kind in (("label", [1], tf.int32), ("seed", [seed], tf.int64), ("truncation", [0.5], tf.float32)):
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value, kind))
    return request


def spoil(rng):
    """Returns the bytes of a request with one thing wrong."""
    request = good_request()
    alias = rng.choice(["label", "seed", "truncation"])
    tensor = request.inputs[alias]
    case = rng.randrange(9)
    if case == 0:
        data = bytearray(request.SerializeToString())
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    if case == 1:
        data = request.SerializeToString()
        return data[: rng.randrange(len(data))]
    if case == 2:
        tensor.dtype = rng.randrange(0, 140)
    elif case == 3:
        for _ in range(rng.randrange(1, 4)):
            tensor.tensor_shape.dim.add(size=rng.choice([-1, 0, 2, 7, 2**40, 2**62]))
    elif case == 4:
        request.model_spec.name = rng.choice(["", "nobody", "../small", "small\x00", "s" * 5000])
    elif case == 5:
        request.model_spec.signature_name = rng.choice(["?", "__saved_model_init_op", "embed", "x" * 3000])
    elif case == 6:
        request.inputs[rng.choice(["", "extra", "imag\u00e9"])].CopyFrom(tensor)
    elif case == 7:
        tensor.ClearField(rng.choice(["dtype", "tensor_shape"]))
        tensor.tensor_content = rng.randbytes(rng.randrange(1, 40))
    else:
        request.output_filter.extend([rng.choice(["images", "", "nothing"]) for _ in range(3)])
    return request.SerializeToString()


def fuzz_grpc(target, count, seed):
    """Returns how often each code came."""
    codes = {}
    rng = random.Random(seed)
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_unary(_PREDICT)
        for _ in range(count):
            try:
                call(spoil(rng), timeout=20)
                code = grpc.StatusCode.OK
            except grpc.RpcError as error:
                code = error.code()
            codes[code] = codes.get(code, 0) + 1
    return codes


def fuzz_rest(port, count, seed):
    rng = random.Random(seed)
    body = json.dumps({"instances": [{"label": 1, "seed": 1, "truncation": 0.5}]})
    codes = {}
    for _ in range(count):
        data = bytearray(body.encode())
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path = rng.choice(
            [
                "/v1/models/small:predict",
                "/v1/models/%ff:predict",
                "/v1//",
                "/v1/models/small/versions/99999999999999999999:predict",
            ]
        )
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", path, bytes(data))
        answer = connection.getresponse()
        json.loads(answer.read())
        codes[answer.status] = codes.get(answer.status, 0) + 1
        connection.close()
    return codes


def truncated_http(port, count, seed):
    rng = random.Random(seed)
    whole = b"POST /v1/models/small:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n" + b"{" * 60
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(whole[: rng.randrange(len(whole))])
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass


def check_hostile(served, grpc_count, rest_count, http_count):
    _, target, port = served
    with GeneratorClient(target, "small") as client:
        before = client.sample_png([1], seeds=[5])
        codes = fuzz_grpc(target, grpc_count, 1)
        assert set(codes) <= {*_SENSIBLE, grpc.StatusCode.OK}, codes
        assert codes[grpc.StatusCode.INVALID_ARGUMENT] > grpc_count // 4
        rest = fuzz_rest(port, rest_count, 2)
        assert set(rest) <= {200, 400, 404}, rest
        truncated_http(port, http_count, 3)
        assert client.sample_png([1], seeds=[5]) == before


def test_malformed_requests_get_sensible_errors_and_the_server_goes_on(served):
    check_hostile(served, 300, 60, 40)


@pytest.mark.slow
def test_five_thousand_malformed_requests_leave_memory_level(served):
    check_hostile(served, 500, 100, 50)
    gc.collect()
    before = resident_mib()
    check_hostile(served, 3500, 1000, 500)
    gc.collect()
    assert resident_mib() - before < 60


def overload(target, clients, seconds):
    """Returns the number of requests that were answered, and the codes of the others."""
    answered, codes, lock = itertools.count(), {}, threading.Lock()
    data = good_request().SerializeToString()
    end = time.monotonic() + seconds

    def hammer():
        with grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            call = channel.unary_unary(_PREDICT)
            while time.monotonic() < end:
                try:
                    call(data, timeout=120)
                    next(answered)
                except grpc.RpcError as error:
                    with lock:
                        codes[error.code()] = codes.get(error.code(), 0) + 1

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for future in [pool.submit(hammer) for _ in range(clients)]:
            future.result()
    return next(answered), codes


@pytest.mark.slow
def test_overload_is_refused_and_what_was_accepted_is_answered(tmp_path):
    # 4 rows run for 50 ms and 8 wait; 64 clients ask for more than five times as much.
    small_model.write(str(tmp_path), 1, model=small_model.SlowModel(1, 0.05))
    options = {"enable_batching": True, "batching_parameters_file": batching_file(tmp_path)}
    with running(model_base_path=str(tmp_path), **options) as (_, target):
        answered, codes = overload(target, 64, 10)
        assert set(codes) == {grpc.StatusCode.UNAVAILABLE}, codes
        assert answered > 20
        with GeneratorClient(target, "small") as client:
            assert client.sample([1]).shape == (1, 16, 16, 3)


def test_a_full_queue_is_unavailable(tmp_path):
    # Nothing is drawn until the gate opens, so no more than 1 + 2 batches of 4 rows can be running or waiting.
    gate = tmp_path / "gate"
    small_model.write(str(tmp_path), 1, warmup=False, model=small_model.GatedModel(1, gate))
    options = {"enable_batching": True, "batching_parameters_file": batching_file(tmp_path)}
    with running(model_base_path=str(tmp_path), **options) as (_, target), grpc.insecure_channel(target) as channel:
        call, data = channel.unary_unary(_PREDICT), good_request().SerializeToString()
        answers = [call.future(data, timeout=120) for _ in range(64)]
        try:
            wait_for(lambda: sum(answer.done() for answer in answers) >= 64 - 12)
            assert {answer.code() for answer in answers if answer.done()} == {grpc.StatusCode.UNAVAILABLE}
        finally:
            gate.touch()
        codes = [answer.code() for answer in answers]
        assert 0 < codes.count(grpc.StatusCode.OK) <= 12
        assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
