"""No request of any size ends the server: what it may cost is checked before anything is allocated for it."""

import concurrent.futures
import contextlib
import http.client
import json
import re
import subprocess
import sys
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from serving import signatures as s
from serving.client import GeneratorClient
from serving.server.flags import ServerOptions
from serving.server.model_server import ModelServer
from serving.server.status import ServingError
from tests.free_port import free_port
from tests.serving import small_model, tiny_export
from tests.serving.embedded import running, wait_for

PREDICT = "/tensorflow.serving.PredictionService/Predict"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
BATCHING = "max_batch_size { value: 1000 }"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("limits")
    small_model.write(str(base), 1)
    return base


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "batched"])
def served(request, base, tmp_path_factory):
    batching = tmp_path_factory.mktemp("config") / "batching"
    batching.write_text(BATCHING)
    options = {"enable_batching": True, "batching_parameters_file": str(batching)} if request.param else {}
    port = free_port()
    with running(model_base_path=str(base), rest_api_port=port, **options) as (_, target):
        yield target, port


def tensor(kind, shape, **fields):
    proto = tensor_pb2.TensorProto(dtype=kind.as_datatype_enum, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def request(name="small", signature="", **inputs):
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = name, signature
    for alias, proto in inputs.items():
        message.inputs[alias].CopyFrom(proto)
    return message


def filled(*shape):
    """A request of a few bytes for rows of any shape: the last value fills them up."""
    return request(
        label=tensor(tf.int32, shape, int_val=[1]),
        seed=tensor(tf.int64, shape, int64_val=[1]),
        truncation=tensor(tf.float32, shape, float_val=[0.5]),
    )


def code_of(target, data, timeout_s=60.0):
    with grpc.insecure_channel(target, [("grpc.max_send_message_length", -1)]) as channel:
        try:
            channel.unary_unary(PREDICT)(data, timeout=timeout_s)
        except grpc.RpcError as error:
            return error.code(), error.details()
    return grpc.StatusCode.OK, ""


def post(port, body, path="/v1/models/small:predict"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body))
    answer = connection.getresponse()
    status, text = answer.status, answer.read()
    connection.close()
    return status, json.loads(text)


SHAPES = {
    "an empty axis and a large one": [0, 2**28],
    "an empty axis, 6e9": [0, 6_000_000_000],
    "an empty axis and two that overflow": [0, 2**62, 2**62],
    "more rows than the flag allows": [257],
    "rows by the last value": [2**20],
    "rows beyond any tensor": [2**62],
    "65 axes": [1] * 65,
    "254 axes": [1] * 254,
    "100,000 axes": [1] * 100_000,
    "a second axis": [1, 1],
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_shape_is_refused_before_it_costs_anything(served, shape):
    start = time.perf_counter()
    for alias in ("label", "all"):
        message = filled(1) if alias == "label" else filled(*shape)
        if alias == "label":
            message.inputs["label"].CopyFrom(tensor(tf.int32, shape))
        code, details = code_of(served[0], message.SerializeToString())
        assert code is INVALID, details
        assert re.search("must have|may have|may hold|input tensors|Task size", details)
    assert time.perf_counter() - start < 5
    assert code_of(served[0], filled(256).SerializeToString())[0] is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"instances": [{"label": 1, "seed": 1, "truncation": 0.5}] * 257},
            "may have 256 rows .--max_batch_rows.. Received: 257",
        ),
        ({"inputs": {"label": [1] * 257, "seed": [1] * 257, "truncation": [0.5] * 257}}, "may have 256 rows"),
        (
            {"inputs": {"label": [[1]], "seed": [1], "truncation": [1]}},
            r"label must have shape \[\?\]. Received: \[1, 1\]",
        ),
        ({"inputs": {"label": 1, "seed": [1], "truncation": [1]}}, r"label must have shape \[\?\]. Received: \[\]"),
    ],
)
def test_rest_refuses_the_same(served, body, text):
    status, answer = post(served[1], body)
    assert status == 400
    assert re.search(text, answer["error"])


def test_the_answer_is_bounded_too(base):
    with running(model_base_path=str(base), max_batch_rows=2**20) as (server, _):
        with pytest.raises(
            ServingError, match=r"An answer may have 256 MiB. Received: a request for 732 MiB in 1000000 rows"
        ):
            server.core.predict(filled(1_000_000), 60, "GRPC")
        with pytest.raises(
            ServingError, match=r"An answer may have 32 MiB. Received: a request for 43 MiB in 60000 rows"
        ):
            server.core.predict(filled(60_000), 60, "REST")


@pytest.mark.parametrize("flag", ["max_batch_rows", "grpc_max_request_bytes"])
@pytest.mark.parametrize("value", [0, -1, 2**31])
def test_a_limit_that_is_none_is_refused(flag, value):
    with pytest.raises(ServingError, match=f"--{flag} must be from 1 to 2147483647. Received: {value}"):
        ModelServer(ServerOptions(model_base_path="/x", **{flag: value}))


def field(number, payload):
    """A field of bytes on the wire."""
    size, prefix = len(payload), bytearray([number << 3 | 2])
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*prefix, size]) + payload


def bombs(num_bytes):
    """Requests of this size that are many times larger once they are parsed."""
    good = filled(1).SerializeToString()
    in_label = lambda payload: good + field(2, field(1, b"label") + field(2, payload))  # noqa: E731
    pairs = num_bytes // 2
    return {
        "axes without a size": in_label(field(2, b"\x12\x00" * pairs)),
        "filters without a name": good + b"\x1a\x00" * pairs,
        "inputs": good + b"".join(field(2, field(1, b"%08d" % i)) for i in range(num_bytes // 12)),
        "empty strings": in_label(b"\x08\x07" + field(2, field(2, b"\x08\x01")) + b"\x42\x00" * pairs),
        "small 64-bit integers": in_label(
            b"\x08\x09" + field(2, field(2, b"\x08\x01")) + field(10, b"\x01" * num_bytes)
        ),
        "small 32-bit integers": in_label(
            b"\x08\x03" + field(2, field(2, b"\x08\x01")) + field(7, b"\x01" * num_bytes)
        ),
        "resource handles": in_label(b"\x72\x00" * pairs),
        "content": in_label(b"\x08\x03" + field(2, field(2, b"\x08\x01")) + field(4, b"\x01" * num_bytes)),
        "groups": good + b"\x0b" * num_bytes,
        "a name": request(name="s" * num_bytes).SerializeToString(),
    }


@pytest.mark.parametrize("bomb", bombs(2**17))
def test_a_bomb_is_the_callers_mistake(served, bomb):
    code, _ = code_of(served[0], bombs(2**17)[bomb])
    assert code in (INVALID, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OK)


def status_mib(process, key):
    """A line of /proc/PID/status, such as VmHWM, the most memory that was ever resident."""
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(rf"{key}:\s+(\d+) kB", file.read())[1]) / 1024


@contextlib.contextmanager
def server_process(base):
    port, rest = free_port(), free_port()
    command = [sys.executable, "-m", "serving.server", f"--port={port}", f"--rest_api_port={rest}"]
    command += ["--model_name=small", f"--model_base_path={base}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=300)
            yield process, f"127.0.0.1:{port}", rest
        finally:
            process.terminate()


def attacks():
    """Requests of every size by what they are."""
    for name, shape in SHAPES.items():
        if len(shape) < 1000:
            yield f"a shape with {name}", filled(*shape).SerializeToString()
    for rows in (16_000, 131_072, 2**31 - 1):
        yield "rows by the last value", filled(rows).SerializeToString()
        seeds = {"seed": tensor(tf.int64, [rows], int64_val=[1])}
        small = tensor(tf.float32, [rows], float_val=[0.02])
        yield "latents at truncation 0.02", request(signature=s.LATENTS, truncation=small, **seeds).SerializeToString()
    # As large as the limits allow: the answers are the largest there are.
    for name in sorted(set(s.SIGNATURES) - {*s.STYLE_SIGNATURES, s.UPSCALE}):
        inputs = {alias: tf.make_tensor_proto(value) for alias, value in tiny_export.rows(name, 256).items()}
        yield "as many rows as are allowed", request(signature=name, **inputs).SerializeToString()
    for name, data in bombs(31 * 2**20).items():
        yield f"31 MiB of {name}", data
    yield "more bytes than are allowed", bombs(200 * 2**20)["content"]


def rest_attacks():
    row = {"label": 1, "seed": 1, "truncation": 0.5}
    yield {"instances": [row] * 100_000}
    yield {"inputs": {alias: [value] * 1_000_000 for alias, value in row.items()}}
    yield b'{"inputs": {"label": [' + b"0," * 5_000_000 + b'0], "seed": [1], "truncation": [1]}}'
    yield b'{"instances": ' + b"[" * 900 + b"]" * 900 + b"}"
    yield b'{"instances": ' + b"[" * 5_000_000
    many = tiny_export.rows(s.SYNTHESIZE, 256)
    yield {"signature_name": s.SYNTHESIZE, "inputs": {alias: value.tolist() for alias, value in many.items()}}


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.exhaustive
def test_no_request_of_any_size_ends_a_server_of_two_gib(tmp_path, attack):
    tiny_export.write(str(tmp_path))
    with server_process(tmp_path) as (process, target, rest), GeneratorClient(target, "small") as client:
        honest = client.sample_png([0, 1, 2], [1, 2, 3], 0.5)
        for _ in range(20):
            client.sample_png([0] * 8)
        sent = 0
        codes = {}

        def throw(data):
            return code_of(target, data, 120.0)[0]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            throw(filled(256).SerializeToString())
            before = status_mib(process, "VmRSS")
            for name, data in attacks():
                for code in [throw(data), *pool.map(throw, [data] * (2 if len(data) > 2**20 else 8))]:
                    sent += 1
                    codes.setdefault(code.name, set()).add(name)
            for body in rest_attacks():
                status, _ = post(rest, body)
                sent += 1
                assert status in (200, 400, 413), status
        assert set(codes) <= {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE"}, codes
        assert codes["OK"] <= {"as many rows as are allowed"} | {f"31 MiB of {name}" for name in bombs(1)}
        assert process.poll() is None
        assert client.sample_png([0, 1, 2], [1, 2, 3], 0.5) == honest
        peak = status_mib(process, "VmHWM")
        wait_for(lambda: status_mib(process, "VmRSS") - before < 300, 30)
        after = status_mib(process, "VmRSS")
    assert peak < 2048, peak
    attack(
        "server",
        "requests of a few bytes to 200 MiB that ask for all memory",
        sent,
        sent,
        f"none ended the server; at most {peak:.0f} MiB of memory, {before:.0f} MiB before and {after:.0f} MiB after",
    )
