"""The REST API and the monitoring page, by plain HTTP: the contract's sections 1.8 and 1.9."""

import base64
import http.client
import json

import pytest

ROW = {"label": 1, "seed": 7, "truncation": 0.5}
PREDICT = "/v1/models/small:predict"


@pytest.fixture
def http_call(target):
    if not target[1]:
        pytest.skip("needs --rest_target")

    def call(method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(target[1], timeout=20)
        text = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        connection.request(method, path, text, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    return call


def test_rows_and_columns_give_the_same_picture(http_call):
    status, rows = http_call("POST", PREDICT, {"instances": [ROW]})
    assert status == 200, rows
    status, columns = http_call("POST", PREDICT, {"inputs": {k: [v] for k, v in ROW.items()}})
    assert status == 200, columns
    row, column = json.loads(rows)["predictions"][0], json.loads(columns)["outputs"]
    assert row["image_bytes"] == column["image_bytes"][0]
    assert row["images"] == column["images"][0]
    assert base64.b64decode(row["image_bytes"]["b64"]).startswith(b"\x89PNG")


def test_a_single_input_and_output_need_no_name(http_call):
    status, body = http_call("POST", PREDICT, {"signature_name": "embed", "instances": [2, 0]})
    assert (status, json.loads(body)) == (200, {"predictions": [[0.0, 0.0, 2.0, 0.0], [2.0, 0.0, 0.0, 0.0]]})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "The document is empty"),
        ("{", "JSON Parse error"),
        ("[1]", "Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": 1, "instances": [1]}, "expecting only one of 'inputs' or 'instances' keys to exist"),
        ({"instances": 3}, "to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [1]}, "instances is a plain list, but expecting list of objects"),
        ({"instances": [{**ROW, "label": 1.0}]}, "is not of expected type: int32"),
        ({"instances": [{"label": 1}]}, "keys must be equal to: label,seed,truncation"),
        ({"instances": [ROW, {**ROW, "label": [1]}]}, "Expecting shape"),
        ({"inputs": {"label": [1]}}, "Missing named input"),
        ({"signature_name": "S", "instances": [1]}, 'Serving signature name: "S" not found in signature def'),
        ({"signature_name": 3, "instances": [1]}, "'signature_name' key must be a string value"),
    ],
)
def test_a_bad_body_is_a_400(http_call, body, text):
    status, answer = http_call("POST", PREDICT, body)
    assert status == 400
    assert text in json.loads(answer)["error"]


@pytest.mark.parametrize(
    ("method", "path", "code", "text"),
    [
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/small/x", 400, "Malformed request: GET /v1/models/small/x"),
        ("POST", "/v1/models/small", 400, "Malformed request: POST /v1/models/small"),
        ("GET", "/v1/models/nobody", 404, "Could not find any versions of model nobody"),
        ("POST", "/v1/models/nobody:predict", 404, "Servable not found for request: Latest(nobody)"),
        ("POST", "/v1/models/small/versions/9:predict", 404, "Specific(small, 9)"),
        ("POST", "/v1/models/small/labels/best:predict", 400, "Unrecognized servable version label: best"),
        ("POST", "/v1/models/small:classify", 400, "Expected classification signature"),
        ("OPTIONS", "/v1/models/small", 400, "Origin header is missing in CORS preflight"),
    ],
)
def test_a_bad_path_says_so(http_call, method, path, code, text):
    status, answer = http_call(method, path, {"instances": [ROW]} if method == "POST" else None)
    assert status == code
    assert text in json.loads(answer)["error"]


def test_paths_outside_the_api_are_404_and_case_does_not_matter(http_call):
    assert http_call("GET", "/elsewhere")[0] == 404
    assert http_call("GET", "/V1/MODELS/small")[0] == 200
    assert http_call("OPTIONS", "/v1/models/small", headers={"Origin": "http://a"})[0] == 200


def test_status_and_metadata_pages(http_call):
    status, body = http_call("GET", "/v1/models/small/versions/1")
    expected = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert (status, json.loads(body)) == (200, {"model_version_status": [expected]})
    status, body = http_call("GET", "/v1/models/small/metadata")
    page = json.loads(body)
    assert page["model_spec"] == {"name": "small", "signature_name": "", "version": "2"}
    assert page["metadata"]["signature_def"]["signature_def"]["embed"]["inputs"]["label"]["dtype"] == "DT_INT32"


def test_prometheus_counts_requests_under_the_real_names(http_call):
    http_call("POST", PREDICT, {"instances": [ROW]})
    status, body = http_call("GET", "/monitoring/prometheus/metrics")
    assert status == 200
    assert b"# TYPE :tensorflow:serving:request_count counter" in body
    assert b':tensorflow:serving:request_count{model_name="small",status="OK"}' in body
    assert (
        b':tensorflow:serving:request_latency_bucket{model_name="small",API="Predict",entrypoint="REST",le="10"}'
        in body
    )
