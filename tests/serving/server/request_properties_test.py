"""Whatever a request holds, the answer is OK or says that the caller is wrong; never that the server failed."""

import collections
import http.client
import json
import pathlib

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from serving.server.json_tensors import parse_body
from serving.server.predict import run_predict
from serving.server.status import ServingError
from serving.server.tensor_wire import decode, encode
from tests.free_port import free_port
from tests.fuzz.targets import json_tensors, tensor_proto
from tests.serving import echo_model
from tests.serving.embedded import running
from tests.serving.server.request_strategies import json_bodies, predict_requests

PREDICT = "/tensorflow.serving.PredictionService/Predict"
CORPUS = pathlib.Path(__file__).parents[2] / "fuzz" / "corpus"
STEADY = {"derandomize": True, "database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    base, port = tmp_path_factory.mktemp("echo"), free_port()
    echo_model.write(str(base))
    with running(model_base_path=str(base), rest_api_port=port) as (_, target):
        yield target, port


@pytest.mark.attack
@pytest.mark.parametrize("tries", [200, pytest.param(6010, marks=pytest.mark.slow)])
def test_a_request_over_grpc_is_answered_or_the_callers_mistake(served, attack, tries):
    came = collections.Counter()
    with grpc.insecure_channel(served[0]) as channel:
        call = channel.unary_unary(PREDICT)

        @settings(max_examples=tries, **STEADY)
        @given(predict_requests())
        def ask(request):
            answer = call.future(request.SerializeToString(), timeout=60)
            code = answer.code()
            assert code in {grpc.StatusCode.OK, *tensor_proto.CALLERS_MISTAKES}, (code, answer.details())
            came[code.name] += 1

        ask()
    assert came["OK"] > tries // 20
    attack("server", "Predict requests of any tensors over gRPC", came.total(), came.total(), f"{dict(came)}")


@pytest.mark.attack
@pytest.mark.parametrize("tries", [200, pytest.param(3500, marks=pytest.mark.slow)])
def test_a_body_over_rest_is_answered_or_the_callers_mistake(served, attack, tries):
    came = collections.Counter()
    connection = http.client.HTTPConnection("127.0.0.1", served[1], timeout=60)

    @settings(max_examples=tries, **STEADY)
    @given(json_bodies())
    def ask(body):
        connection.request("POST", "/v1/models/small:predict", body)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 400, 501), (answer.status, text, body[:300])
        json.loads(text)
        came[answer.status] += 1

    ask()
    connection.close()
    assert came[200] > tries // 20
    attack("server", "Predict requests of any JSON over REST", came.total(), came.total(), f"{dict(came)}")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (tf.int8, "int_val", 128),
        (tf.int8, "int_val", -129),
        (tf.uint8, "int_val", 256),
        (tf.uint8, "int_val", -1),
        (tf.int16, "int_val", 2**15),
        (tf.uint16, "int_val", -1),
        (tf.uint16, "int_val", 2**16),
        (tf.float16, "half_val", 2**16),
        (tf.bfloat16, "half_val", -1),
    ],
)
def test_a_value_that_its_type_cannot_hold_is_refused(kind, field, value):
    proto = tensor_pb2.TensorProto(dtype=kind.as_datatype_enum, **{field: [value]})
    proto.tensor_shape.dim.add(size=1)
    with pytest.raises(ServingError, match="tensor parsing error: x"):
        decode("x", proto)


@pytest.mark.parametrize("kind", echo_model.TYPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("axes", [0, 1, 32, 33, 64, 65])
def test_a_tensor_of_many_axes_is_answered_or_refused(kind, axes):
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = f"echo_{kind.name}"
    request.inputs["x"].dtype = kind.as_datatype_enum
    for _ in range(axes):
        request.inputs["x"].tensor_shape.dim.add(size=1)
    if axes > 32:
        with pytest.raises(ServingError, match="x must have at most 32 axes"):
            run_predict(echo_model.loaded(), request, 60)
    else:
        answer = run_predict(echo_model.loaded(), request, 60)
        assert answer["y"].shape == (1,) * axes
        encode(answer["y"], as_content=False)


@pytest.mark.parametrize("kind", echo_model.TYPES, ids=lambda kind: kind.name)
def test_a_tensor_of_every_type_comes_back_as_it_was_sent(kind):
    values = (
        np.array([[b"a", b"\xff"], [b"", b"c"]], object)
        if kind == tf.string
        else np.array([[0, 1], [1, 0]], kind.as_numpy_dtype)
    )
    for as_content in (False, True):
        request = predict_pb2.PredictRequest()
        request.model_spec.signature_name = f"echo_{kind.name}"
        request.inputs["x"].ParseFromString(encode(values, as_content))
        answer = run_predict(echo_model.loaded(), request, 60)["y"]
        np.testing.assert_array_equal(answer, values)
        assert answer.dtype == values.dtype


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"a": 1, "b": 2, "a": 3}', 'The key "a" comes twice in an object'),
        ('{"signature_name": "\\ud800"}', "surrogates not allowed"),
        ('{"x": [{"y": "\\udfff"}]}', "surrogates not allowed"),
        (f'{{"x": {"9" * 5000}}}', "Exceeds the limit"),
        ('{"x": ' + "[" * 100_000, "recursion"),
        ("[" * 900 + "]" * 900, "Is not object"),
        ("[" + '{"a":' * 200 + "[" * 200 + "1" + "]" * 200 + "}" * 200 + "]", "Is not object"),
    ],
)
def test_a_body_beyond_the_limits_of_json_is_refused(body, text):
    with pytest.raises(ServingError, match=text) as caught:
        parse_body(body.encode())
    assert len(caught.value.message) < 400


def test_a_pair_of_surrogates_is_one_character():
    assert parse_body(rb'{"x": "\ud83d\ude00"}') == {"x": "\U0001f600"}


@pytest.mark.parametrize("target", [tensor_proto, json_tensors], ids=lambda module: module.__name__.split(".")[-1])
def test_the_corpus_is_answered_or_refused(target):
    files = sorted((CORPUS / target.__name__.split(".")[-1]).iterdir())
    assert len(files) >= 8
    for file in files:
        target.fuzz_one(file.read_bytes())
