"""grpcurl and ghz, which were written in Go and know our server only by TensorFlow Serving's protocol buffers."""

import base64
import json
import shutil
import subprocess
import time

import pytest

from serving.client import GeneratorClient

PREDICTION, MODELS = "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"
# grpcurl exits with 64 more than the code of the status.
INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNIMPLEMENTED = 67, 69, 71, 76

pytestmark = pytest.mark.slow


def program(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed; `go install` brings it, see .ci/run")
    return path


@pytest.fixture
def grpcurl(served, services):
    path = program("grpcurl")

    def call(method, message):
        text = message if isinstance(message, str) else json.dumps(message)
        command = [path, "-plaintext", "-max-time", "20", "-protoset", services, "-d", text, served[0], method]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return result.returncode, result.stdout, result.stderr

    return call


def predict_message(seed=7, **spec):
    return {
        "model_spec": {"name": "small", **spec},
        "inputs": {
            "label": {"dtype": "DT_INT32", "tensor_shape": {"dim": [{"size": 1}]}, "int_val": [1]},
            "seed": {"dtype": "DT_INT64", "tensor_shape": {"dim": [{"size": 1}]}, "int64_val": [seed]},
            "truncation": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": 1}]}, "float_val": [0.5]},
        },
    }


def test_grpcurl_gets_the_bytes_that_our_client_gets(grpcurl, served):
    status, out, err = grpcurl(f"{PREDICTION}/Predict", predict_message())
    assert status == 0, err
    answer = json.loads(out)
    assert answer["model_spec"] == {"name": "small", "version": "1", "signature_name": "serving_default"}
    with GeneratorClient(served[0], "small") as client:
        (expected,) = client.sample_png([1], seeds=[7], truncation=0.5)
        pixels = client.sample([1], seeds=[7], truncation=0.5)
    assert base64.b64decode(answer["outputs"]["image_bytes"]["string_val"][0]) == expected
    assert answer["outputs"]["images"]["int_val"] == pixels.reshape(-1).tolist()


def test_grpcurl_reads_status_metadata_and_health(grpcurl):
    status, out, err = grpcurl(f"{MODELS}/GetModelStatus", {"model_spec": {"name": "small"}})
    assert status == 0, err
    (version,) = json.loads(out)["model_version_status"]
    assert (version["version"], version["state"]) == ("1", "AVAILABLE")
    status, out, err = grpcurl(
        f"{PREDICTION}/GetModelMetadata", {"model_spec": {"name": "small"}, "metadata_field": ["signature_def"]}
    )
    assert status == 0, err
    assert "embed" in json.loads(out)["metadata"]["signature_def"]["signature_def"]
    for service in ("", PREDICTION):
        status, out, err = grpcurl("grpc.health.v1.Health/Check", {"service": service})
        assert status == 0, err
        assert json.loads(out) == {"status": "SERVING"}


@pytest.mark.parametrize(
    ("method", "message", "status", "text"),
    [
        ("Predict", "{", 1, ""),
        ("Predict", {"no_such_field": 1}, 1, ""),
        ("Predict", {}, INVALID_ARGUMENT, "Missing ModelSpec"),
        ("Predict", {"model_spec": {"name": "nobody"}}, NOT_FOUND, "Latest(nobody)"),
        ("Predict", {"model_spec": {"name": "small"}}, INVALID_ARGUMENT, "input size does not match signature"),
        ("Predict", {**predict_message(), "output_filter": ["x"]}, INVALID_ARGUMENT, "alias not found in signature"),
        ("GetModelMetadata", {"model_spec": {"name": "small"}}, INVALID_ARGUMENT, "at least one metadata_field"),
        ("MultiInference", {}, UNIMPLEMENTED, "call Predict"),
    ],
)
def test_grpcurl_is_told_what_is_wrong(grpcurl, method, message, status, text):
    code, _, err = grpcurl(f"{PREDICTION}/{method}", message)
    assert (code, text in err) == (status, True), err


def test_grpcurl_may_not_reload(grpcurl):
    code, _, err = grpcurl(f"{MODELS}/HandleReloadConfigRequest", {"config": {"model_config_list": {}}})
    assert code == PERMISSION_DENIED
    assert "--enable_reload" in err


@pytest.mark.attack
def test_ghz_loads_predict_and_every_answer_is_ok(served, services, attack, tmp_path):
    report = tmp_path / "report.json"
    command = [program("ghz"), "--insecure", f"--protoset={services}", f"--call={PREDICTION}/Predict"]
    command += [f"--data={json.dumps(predict_message())}", "--concurrency=8", "--duration=8s", "--duration-stop=wait"]
    command += ["--format=json", f"--output={report}", served[0]]
    pictures = set()
    with GeneratorClient(served[0], "small") as client:
        before = client.sample_png([1], seeds=[7], truncation=0.5)[0]
        with subprocess.Popen(command) as load:
            while load.poll() is None:
                pictures.add(client.sample_png([1], seeds=[7], truncation=0.5)[0])
                time.sleep(0.05)
    assert load.returncode == 0
    assert pictures == {before}
    told = json.loads(report.read_text())
    assert set(told["statusCodeDistribution"]) == {"OK"}, told["statusCodeDistribution"]
    count = told["statusCodeDistribution"]["OK"]
    assert count > 100
    outcome = f"all OK, {told['rps']:.0f} a second, and meanwhile our client's pictures had the same bytes"
    attack("server", "load by ghz, 8 connections of Go for 8 s", count, count, outcome)
