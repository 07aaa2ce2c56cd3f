"""curl and schemathesis against REST and the playground, and the description of both that the latter reads."""

import http.client
import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from serving import signatures as s

ROOT = pathlib.Path(__file__).parents[3]
OPENAPI = ROOT / "docs" / "rest_openapi.yaml"
BODY = json.dumps({"instances": [{"label": 1, "seed": 7, "truncation": 0.5}]})


def operations():
    """(method, path, the described operation) of all that the description lists."""
    for path, item in yaml.safe_load(OPENAPI.read_text())["paths"].items():
        for method in ("get", "post"):
            if method in item:
                yield method.upper(), path, item[method]


def port_of(served, path):
    return served[1] if path.startswith(("/v1", "/monitoring")) else served[2]


@pytest.mark.parametrize(("method", "path", "operation"), list(operations()))
def test_the_description_and_the_routes_agree(served, method, path, operation):
    concrete = path.format(model="small", version=1, label="stable")
    connection = http.client.HTTPConnection("127.0.0.1", port_of(served, path), timeout=60)
    connection.request(method, concrete, BODY if method == "POST" else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    described = operation["responses"]
    if "/labels/" in path and ("predict" in path or "metadata" in path):
        assert (answer.status, "Unrecognized servable version label" in content.decode()) == (400, True)
    elif "classify" in path or "regress" in path:
        assert (answer.status, "method_name to be tensorflow/serving/" in content.decode()) == (400, True)
    else:
        assert answer.status == 200, content
        response = described["200"]
        if "$ref" in response:
            components = yaml.safe_load(OPENAPI.read_text())["components"]["responses"]
            response = components[response["$ref"].rpartition("/")[2]]
        (kind,) = response["content"]
        assert answer.headers["Content-Type"].startswith(kind)
        if kind == "application/json" and isinstance(json.loads(content), dict):
            schema = response["content"][kind]["schema"]
            assert set(schema.get("required", ())) <= set(json.loads(content))


def test_every_route_of_the_contract_is_described():
    targets = ("", "/versions/{version}", "/labels/{label}")
    wanted = {("GET", f"/v1/models/{{model}}{target}{page}") for target in targets for page in ("", "/metadata")}
    wanted |= {("POST", f"/v1/models/{{model}}{target}:predict") for target in targets}
    wanted |= {("GET", "/"), ("GET", "/playground/models.json"), ("GET", "/monitoring/prometheus/metrics")}
    assert wanted <= {(method, path) for method, path, _ in operations()}


def curl(*arguments):
    """Returns (the status code, the body)."""
    path = shutil.which("curl")
    if path is None:
        pytest.skip("curl is not installed")
    command = [path, "--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}", *arguments]
    result = subprocess.run(command, capture_output=True, timeout=90, check=False)
    assert result.returncode == 0, result.stderr
    body, _, status = result.stdout.rpartition(b"\n")
    return int(status), body


@pytest.mark.slow
def test_curl_is_answered_in_all_its_ways(served):
    predict = f"http://127.0.0.1:{served[1]}/v1/models/small:predict"
    status, body = curl("--data", BODY, predict)
    assert status == 200
    picture = json.loads(body)["predictions"][0]["image_bytes"]["b64"]
    for way in (["--http1.0"], ["--http2"], ["--compressed"], ["--header", "Expect: 100-continue"]):
        status, body = curl(*way, "--data", BODY, predict)
        assert status == 200, (way, body)
        assert json.loads(body)["predictions"][0]["image_bytes"]["b64"] == picture
    for way in (["--request", "PUT"], ["--request", "DELETE"], ["--header", "Transfer-Encoding: chunked"]):
        status, body = curl(*way, "--data", BODY, predict)
        assert status == 200 or 400 <= status <= 499 or status == 501, (way, status, body)
    assert curl(f"http://127.0.0.1:{served[2]}/")[0] == 200
    assert curl("--path-as-is", f"http://127.0.0.1:{served[2]}/../../etc/passwd")[0] in (400, 404)
    assert curl("--data", "{", predict)[0] == 400


def test_the_description_of_the_api_names_every_signature_with_its_inputs():
    described = " ".join(OPENAPI.read_text().split())
    for name, signature in s.SIGNATURES.items():
        assert f'"{name}"' in described
        if not name.endswith("_png"):
            assert re.search(rf'"{name}"(?: and "{name}_png")? \({", ".join(signature.inputs)}\)', described), name


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("part", ["REST", "playground"])
def test_schemathesis_finds_no_server_error(served, attack, part, tmp_path):
    program = shutil.which("schemathesis")
    if program is None:
        pytest.skip("schemathesis is not installed; .ci/run does it, in an environment of its own")
    is_rest = part == "REST"
    selected = ["--exclude-path-regex=^/(playground.*)?$"] if is_rest else ["--exclude-path-regex=^/monitoring"]
    command = [program, "run", str(OPENAPI), f"--url=http://127.0.0.1:{served[1] if is_rest else served[2]}"]
    command += [
        *selected,
        "--checks=not_a_server_error",
        "--max-examples=60",
        "--generation-deterministic",
        "--no-color",
    ]
    command += ["--continue-on-failure", "--phases=examples,coverage,fuzzing", "--warnings=off", "--seed=1"]
    command += ["--request-timeout=60", "--suppress-health-check=all"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False, cwd=tmp_path)
    # 501 is what a server answers to a method that it does not have.
    assert set(re.findall(r"\[(5\d\d)\] ", result.stdout)) <= {"501"}, result.stdout[-5000:]
    assert result.returncode in (0, 1), result.stdout[-3000:] + result.stderr[-2000:]
    counted = re.search(r"([\d,]+) generated", result.stdout)
    count = int(counted[1].replace(",", "")) if counted else 0
    assert count > 300, result.stdout[-3000:]
    attack(
        "server",
        f"requests that schemathesis derives from docs/rest_openapi.yaml, {part}",
        count,
        count,
        "no answer of 500",
    )
