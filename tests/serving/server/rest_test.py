"""A caller's mistake over REST is never the server's error, however odd; and large bodies starve nobody."""

import http.client
import json
import random
import threading
import time

import pytest

from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import running
from tests.serving.raw_http import exchange, statuses

PREDICT = "/v1/models/small:predict"
ROW = {"label": 1, "seed": 7, "truncation": 0.5}


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    base, port = tmp_path_factory.mktemp("rest"), free_port()
    small_model.write(str(base), 1)
    with running(model_base_path=str(base), rest_api_port=port):
        yield port


def ask(port, method, path, body=None, timeout_s=60):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.attack
def test_odd_paths_bodies_and_methods_are_the_callers_mistakes(port, attack):
    digits = "9" * 5000
    paths = [
        f"/v1/models/small/versions/{digits}",
        f"/v1/models/small/versions/{'0' * 5000}1",
        "/v1/models/small/versions/1_0",
    ]
    paths += [
        "/v1/models/%ff",
        "/v1/models/%00",
        "/v1/models/%ed%a0%80",
        "/v1/models/%",
        "/v1/models/%zz",
        "/v1/models/a%2fb",
    ]
    paths += [
        "/v1/models/small/labels/%ed%a0%80",
        "/v1/models/" + "%F0%9F%98%80" * 500,
        "/v1//",
        "//",
        "*",
        "/v1/models/small?x=%ff",
    ]
    paths += [
        "http://elsewhere/v1/models/small",
        "/v1/models/small;x",
        "/v1/models/small#x",
        "/v1/models/..%2f..%2fetc",
    ]
    raw = [
        b"%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % (method, path.encode())
        for path in paths
        for method in (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"TRACE")
    ]
    for suffix in (":predict", ":classify", ":regress", f"/versions/{digits}:predict"):
        raw += [
            b"POST %s%s HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
            % (p.encode(), suffix.encode())
            for p in paths
        ]
    for headers in (
        b"Content-Type: \xff",
        b"Accept: " + b"*" * 9000,
        b"Origin: \xff\xfe",
        b"Cookie: \xed\xa0\x80",
        b"Range: bytes=9-",
    ):
        raw.append(b"GET /v1/models/small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + headers + b"\r\n\r\n")
    for data in raw:
        codes = statuses(exchange(port, data))
        assert len(codes) == 1, data[:200]
        assert codes[0] < 500, data[:200]
    half = '"\\ud800"'
    bodies = [
        f'{{"signature_name": {half}, "instances": [1]}}',
        f'{{{half}: 1, "instances": [1]}}',
        f'{{"instances": [{half}]}}',
    ]
    bodies += [
        f'{{"instances": [{{{half}: 1}}]}}',
        f'{{"inputs": {{"label": {half}}}}}',
        f'{{"inputs": {half}}}',
        '{"signature_name": "\\u0000"}',
    ]
    bodies += [
        '{"signature_name": "' + "s" * 50_000 + '", "instances": [1]}',
        "\ufeff{}",
        '{"a": 1e999999}',
        '{"a": ' + "9" * 9999 + "}",
    ]
    for body in bodies:
        status, content = ask(port, "POST", PREDICT, body.encode("utf-8"))
        assert status == 400, (body[:100], content)
        assert json.loads(content)["error"]
    tries = len(raw) + len(bodies)
    attack(
        "server",
        "odd paths, methods, headers and texts over REST",
        tries,
        tries,
        "no status 500 or above, an answer to each",
    )


@pytest.mark.attack
def test_random_requests_are_answered_and_change_nothing(port, attack):
    rng, tries = random.Random(7), 600
    good = json.dumps({"instances": [ROW]})
    before = ask(port, "POST", PREDICT, good)
    codes = {}
    for _ in range(tries):
        data = bytearray(
            b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
            % (PREDICT.encode(), len(good), good.encode())
        )
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        for code in statuses(exchange(port, bytes(data))) or [0]:
            codes[code] = codes.get(code, 0) + 1
    assert not [code for code in codes if code >= 500], codes
    assert ask(port, "POST", PREDICT, good) == before
    said = ", ".join(f"{count} times {code or 'closed'}" for code, count in sorted(codes.items()))
    attack("server", "predict requests over REST with 1 to 5 random bytes", tries, tries, said)


@pytest.mark.attack
def test_large_bodies_of_json_are_refused_in_time_and_starve_nobody(port, attack):
    """50 MB are refused by their length; 16 MB of zeros by their number, though eight come at a time."""
    assert ask(port, "POST", PREDICT, b'{"instances": [' + b"0," * 25_000_000 + b"0]}")[0] == 413
    zeros = b'{"instances": [' + b"0," * 8_000_000 + b"0]}"
    deep = b'{"instances": ' + b"[" * 16_000_000
    text = b'{"signature_name": "' + b"\\u0041" * 2_500_000 + b'"}'
    status = []
    end = threading.Event()
    slowest = [0.0]

    def honest():
        while not end.is_set():
            begin = time.monotonic()
            assert ask(port, "GET", "/v1/models/small")[0] == 200
            slowest[0] = max(slowest[0], time.monotonic() - begin)

    watch = threading.Thread(target=honest)
    watch.start()
    senders = [
        threading.Thread(target=lambda b=b: status.append(ask(port, "POST", PREDICT, b)[0]))
        for b in (zeros, deep, text) * 3
    ]
    begin = time.monotonic()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    took = time.monotonic() - begin
    end.set()
    watch.join()
    assert set(status) <= {400, 503}
    assert took < 30
    assert slowest[0] < 5
    attack("server", "bodies of 16 MB: zeros, brackets and escapes", 9, 9,
           "refused; an honest request beside them is answered in time")  # fmt: skip


def test_the_time_limit_holds_for_reading_too(tmp_path):
    small_model.write(str(tmp_path), 1, warmup=False, model=small_model.GatedModel(1, tmp_path / "gate"))
    rest = free_port()
    with running(model_base_path=str(tmp_path), rest_api_port=rest, rest_api_timeout_in_ms=300):
        begin = time.monotonic()
        status, content = ask(rest, "POST", PREDICT, json.dumps({"instances": [ROW]}))
        assert status == 504, content
        assert time.monotonic() - begin < 5
        (tmp_path / "gate").touch()
