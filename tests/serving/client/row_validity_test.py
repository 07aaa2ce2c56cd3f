"""The client against a server that knows no bounds, as tensorflow_model_server: rows that are marked raise an error."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from serving import signatures as s
from serving.client import AsyncGeneratorClient, ClientError, GeneratorClient
from serving.client.row_validity import RowValidity
from serving.protos import predict
from serving.server.loaded_model import LoadedModel
from serving.server.predict import encode_response
from serving.server.tensor_wire import decode
from tests.serving import small_model, tiny_export


@contextlib.contextmanager
def unchecked_server(path):
    """Hands requests to a SavedModel as they are, and notes the outputs that each asks for."""
    loaded = [LoadedModel(path, ["serve"], None, None)]
    asked = []

    def predict(request, context):
        model, name = loaded[-1], request.model_spec.signature_name
        asked.append(tuple(request.output_filter))
        for output in request.output_filter:
            if output not in model.signatures[name].outputs:
                context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"output tensor alias not found in signature: {output} Outputs expected to be in the set {{}}.",
                )
        inputs = {alias: decode(alias, proto) for alias, proto in request.inputs.items()}
        results = model.run(name, inputs, tuple(request.output_filter), None)
        return encode_response(request, len(loaded), dict(zip(request.output_filter, results, strict=True)), False)

    handler = grpc.unary_unary_rpc_method_handler(predict, predict_pb2.PredictRequest.FromString, bytes)
    server = grpc.server(
        ThreadPoolExecutor(4),
        handlers=[
            grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler}),
        ],
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", asked, loaded
    finally:
        server.stop(None).wait()
        for model in loaded:
            model.close()


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return tiny_export.write(str(tmp_path_factory.mktemp("export")))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return small_model.write(str(tmp_path_factory.mktemp("other")), 1, warmup=False)


BAD = ([0, 1, 99, 2, -1], [1, 2, 3, 4, 5])


@pytest.mark.slow
def test_a_marked_row_raises_with_its_number_in_the_call(export):
    with unchecked_server(export) as (target, asked, _), GeneratorClient(target, max_batch=2) as client:
        with pytest.raises(ClientError, match=r"cannot answer 2 of 5 rows \(2, 4\): labels must be classes") as caught:
            client.sample_png(*BAD, truncation=0.5)
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert client.sample([0, 1], [1, 2], 0.5).shape == (2, 32, 32, 3)
        with pytest.raises(ClientError, match=r"cannot answer 1 of 2 rows \(1\)"):
            client.latents([1, 2], [0.5, float("nan")])
        with pytest.raises(ClientError, match=r"cannot answer 1 of 1 rows \(0\)"):
            client.embed([7])
        z = np.zeros((1, tiny_export.Z_DIM))
        assert client.synthesize(z, np.eye(3)[:1], np.ones(1)).shape == (1, 32, 32, 3)
        assert {outputs[1:] for outputs in asked} == {("valid",)}


def test_the_asynchronous_client_raises_as_well(export):
    async def ask(target):
        async with AsyncGeneratorClient(target, max_batch=2) as client:
            await client.sample(*BAD, truncation=0.5)

    with unchecked_server(export) as (target, _, _), pytest.raises(ClientError, match=r"2 of 5 rows \(2, 4\)"):
        asyncio.run(ask(target))


@pytest.mark.parametrize(
    ("signature", "output", "rule"),
    [
        (s.SAMPLE, s.IMAGES, "labels must be classes of the model"),
        (
            s.UPSCALE,
            s.IMAGE_BYTES,
            "each must be a PNG or JPEG file of at most 4194304 pixels. TensorFlow reads no WebP",
        ),
    ],
)
def test_the_rule_is_that_of_what_was_sent(signature, output, rule):
    answers = []
    for valid in (True, False):
        answers.append(predict.PredictResponse())
        answers[-1].outputs[output].tensor_shape.dim.add(size=1)
        answers[-1].outputs[s.VALID].dtype = 10
        answers[-1].outputs[s.VALID].tensor_shape.dim.add(size=1)
        answers[-1].outputs[s.VALID].bool_val.append(valid)
    with pytest.raises(ClientError, match=rf"server cannot answer 1 of 2 rows \(1\): {rule}"):
        RowValidity("server").check(answers, signature, output)


def test_a_model_without_the_output_is_asked_without_it_until_another_version_answers(export, other):
    with unchecked_server(other) as (target, asked, loaded), GeneratorClient(target) as client:
        for _ in range(3):
            assert client.sample([1], truncation=0.5).shape == (1, 16, 16, 3)
        assert asked == [("images", "valid"), ("images",), ("images",), ("images",)]
        loaded.append(LoadedModel(export, ["serve"], None, None))
        assert client.sample([1], truncation=0.5).shape == (
            1,
            32,
            32,
            3,
        )
        with pytest.raises(ClientError, match="cannot answer 1 of 1 rows"):
            client.sample([99], truncation=0.5)
        assert asked[-2:] == [("images",), ("images", "valid")]
