import asyncio
import json
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from biggan_tf.config.truncation import OF_LATENTS, OF_STYLES
from serving import signatures as s
from serving.client import AsyncGeneratorClient, ClientError, GeneratorClient
from serving.client.__main__ import fetch
from serving.client.model_metadata import default_truncation, without_names
from serving.protos import predict
from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import running


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    base = tmp_path_factory.mktemp("client")
    small_model.write(str(base), 1)
    with running(model_base_path=str(base), grpc_socket_path=str(base / "socket")) as (_, address):
        yield address, f"unix:{base}/socket"


def test_many_rows_are_split_and_stay_in_order(target):
    with GeneratorClient(target[0], "small", max_batch=3, pipeline=3) as client:
        whole = client.sample([1] * 10, seeds=range(10))
        assert whole.shape == (10, 16, 16, 3)
        np.testing.assert_array_equal(client.sample([1], seeds=[9])[0], whole[9])


def test_labels_by_synset_and_name(target, tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps([{"synset": "n01", "name": "Tench"}, {"synset": "n02", "name": "goldfish"}]))
    with GeneratorClient(target[0], "small", labels=str(path)) as client:
        np.testing.assert_array_equal(
            client.embed(["goldfish", "n01", "1"]), [[0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
        )
        with pytest.raises(ClientError, match=r"There is no class 'gold'\. Did you mean goldfish\?"):
            client.embed(["gold"])


def test_names_of_classes_are_asked_of_the_server(target):
    assets = pathlib.Path(target[1].removeprefix("unix:")).parent / "1" / "assets"
    assets.mkdir(exist_ok=True)
    file = assets / "labels.json"

    def embedded(*labels):
        with GeneratorClient(target[0], "small") as client:
            return client.embed(labels)

    advice = r"Give classes by their index, or give the client a labels\.json"
    with pytest.raises(ClientError, match=rf"NOT_FOUND: The model has no labels\.json, so its .* no names {advice}"):
        embedded("goldfish")
    file.write_text("{")
    with pytest.raises(ClientError, match=rf"FAILED_PRECONDITION: The model's labels\.json cannot be used.*{advice}"):
        embedded("goldfish")
    file.write_text('[{"synset": 1}]')
    with pytest.raises(ClientError, match=r"must be the labels\.json of an export"):
        embedded("goldfish")
    file.write_text(json.dumps([{"synset": "n01", "name": "Tench"}, {"synset": "n02", "name": "goldfish"}]))
    np.testing.assert_array_equal(embedded("goldfish", "n01", 1), [[0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]])
    for wrong in ("gold", "goldfihs"):
        with pytest.raises(ClientError, match=r"Did you mean goldfish\?"):
            embedded(wrong)
    file.write_text(json.dumps([{"synset": "n01", "name": "1"}, {"synset": "n02", "name": "0"}]))
    np.testing.assert_array_equal(embedded("1", 1, "0"), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]])
    for content in ('[{"synset": 1}]', "{"):
        file.write_text(content)
        np.testing.assert_array_equal(embedded("1"), [[0, 1, 0, 0]])
    file.unlink()
    np.testing.assert_array_equal(embedded("1", 1), [[0, 1, 0, 0], [0, 1, 0, 0]])  # indices need no names


def test_a_server_that_tells_no_names_is_said_to():
    refused = ClientError("Metadata field x is not supported", grpc.StatusCode.INVALID_ARGUMENT)
    assert "by their index, or with the labels.json" in str(without_names(refused))
    away = ClientError("The server is away", grpc.StatusCode.UNAVAILABLE)
    assert without_names(away) is away


def test_each_picture_to_enlarge_is_a_request_of_its_own():
    asked = []

    def predict(request, context):
        asked.append(list(request.inputs["image_bytes"].string_val))
        response = predict_pb2.PredictResponse()
        response.outputs["image_bytes"].CopyFrom(request.inputs["image_bytes"])
        return response.SerializeToString()

    async def enlarged(target, pictures):
        async with AsyncGeneratorClient(target) as client:
            return await client.upscale(pictures)

    handler = grpc.unary_unary_rpc_method_handler(predict, predict_pb2.PredictRequest.FromString)
    service = {"Predict": handler}
    server = grpc.server(
        ThreadPoolExecutor(2),
        handlers=[grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", service)],
    )
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    pictures = [b"a", b"b", b"c"]
    try:
        with GeneratorClient(target) as client:
            assert client.upscale(pictures) == pictures
        assert asyncio.run(enlarged(target, pictures)) == pictures
    finally:
        server.stop(None).wait()
    assert sorted(asked) == [[b"a"], [b"a"], [b"b"], [b"b"], [b"c"], [b"c"]]


def test_unix_socket_gives_the_same_picture(target):
    with GeneratorClient(target[0], "small") as tcp, GeneratorClient(target[1], "small") as unix:
        assert tcp.sample_png([1], seeds=[3]) == unix.sample_png([1], seeds=[3])


def test_errors_say_what_to_do(target):
    with GeneratorClient(target[0], "nobody") as client, pytest.raises(ClientError, match="Check the model's name"):
        client.sample([1])
    with (
        GeneratorClient(f"127.0.0.1:{free_port()}", timeout_s=0.5) as client,
        pytest.raises(ClientError, match="Is a server listening there") as caught,
    ):
        client.sample([1])
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    with GeneratorClient(target[0], "small") as client, pytest.raises(ClientError, match="2 seeds, 1 truncations"):
        client.sample([1], seeds=[1, 2])


def test_the_command_writes_pictures(target, tmp_path, capsys):
    arguments = [f"--target={target[0]}", "--model=small", "--labels=1,2", "--seeds=3,4", f"--output={tmp_path}"]
    assert fetch(arguments) == 0
    assert (tmp_path / "2-4.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.splitlines() == [f"{tmp_path}/1-3.png", f"{tmp_path}/2-4.png"]
    assert fetch([f"--target={target[0]}", "--model=nobody"]) == 1
    assert "NOT_FOUND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"),
    [("--lables=1", "--lables=1; did you mean --labels?"), ("--wholly_strange=1", "--wholly_strange=1")],
)
def test_a_flag_that_there_is_not_is_refused_with_the_one_that_was_meant(capsys, word, said):
    with pytest.raises(SystemExit, match="2"):
        fetch([word])
    assert capsys.readouterr().err.endswith(f"error: unrecognized arguments: {said}\n")


def test_a_call_without_a_truncation_takes_that_of_the_models_family(target):
    with GeneratorClient(target[0], "small") as client:
        assert client.sample_png([1]) == client.sample_png([1], truncation=0.5)
    assert (OF_LATENTS.default, OF_STYLES.default) == (s.DEFAULT_TRUNCATION, s.DEFAULT_PSI)
    for names, expected in (((s.SAMPLE,), OF_LATENTS.default), ((s.SAMPLE, s.MAP), OF_STYLES.default)):
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name in names:
            signatures.signature_def[name].method_name = "tensorflow/serving/predict"
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(signatures)
        ours = predict.GetModelMetadataResponse.FromString(response.SerializeToString())
        assert default_truncation(ours) == expected


def test_the_client_imports_no_tensorflow():
    code = "import sys, serving.client.__main__; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["PredictRequest", "PredictResponse"])
def test_declared_messages_have_the_fields_of_the_real_ones(name):
    def compare(ours, real, seen):
        if ours.full_name in seen:
            return
        seen.add(ours.full_name)
        for field in ours.fields:
            other = real.fields_by_name[field.name]
            assert (field.number, field.is_repeated) == (other.number, other.is_repeated)
            if field.message_type:
                compare(field.message_type, other.message_type, seen)
            else:
                assert field.type == other.type or (field.type, other.type) == (field.TYPE_INT32, field.TYPE_ENUM)

    compare(getattr(predict, name).DESCRIPTOR, getattr(predict_pb2, name).DESCRIPTOR, set())
