"""Tokens, rates, addresses and TLS on every port of a server with a model."""

import http.client
import json
import os
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from serving.client import ClientError, GeneratorClient
from serving.client.__main__ import fetch
from serving.server.access import Access
from serving.server.auth_tokens import AuthTokens
from serving.server.flags import ServerOptions
from serving.server.model_server import ModelServer
from serving.server.own_threads import in_own_threads
from serving.server.peers import LOCAL, peer_of_grpc, peer_of_host
from serving.server.rate_limit import RateLimit
from serving.server.status import ServingError
from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import running
from tests.serving.server.model_server_test import certificate

TOKEN, OTHER = "a-token-of-the-first-client", "another/token+of~someone=="
METRICS = "/monitoring/prometheus/metrics"
PREDICT = "/v1/models/small:predict"
BODY = json.dumps({"signature_name": "embed", "instances": [1]})


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("access")
    small_model.write(str(path), 1)
    return str(path)


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"# one a line\n\n{TOKEN}\n  {OTHER}\n")
    return path


def ask(port, method, path, body=None, token=None, context=None, **headers):
    kind = http.client.HTTPConnection if context is None else http.client.HTTPSConnection
    connection = kind("localhost", port, timeout=30, **({} if context is None else {"context": context}))
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


@pytest.mark.attack
def test_everything_but_health_preflight_and_the_pages_files_needs_a_token(base, token_file, tmp_path, attack):
    rest, page = free_port(), free_port()
    (tmp_path / "monitoring").write_text("prometheus_config { enable: true }")
    options = {
        "rest_api_port": rest,
        "playground_port": page,
        "auth_tokens_file": str(token_file),
        "enable_grpc_healthcheck_service": True,
        "rest_api_enable_cors_support": True,
        "monitoring_config_file": str(tmp_path / "monitoring"),
    }
    paths = [
        (rest, "GET", "/v1/models/small"),
        (rest, "GET", "/v1/models/small/metadata"),
        (rest, "POST", PREDICT),
        (rest, "GET", METRICS),
        (page, "GET", "/playground/models.json"),
        (page, "POST", PREDICT),
    ]
    wrong = [None, "", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f"{TOKEN},{OTHER}", "# one a line", "\xe9" * 20]
    tries = 0
    with running(model_base_path=base, **options) as (_, target), grpc.insecure_channel(target) as channel:
        for port, method, path in paths:
            body = BODY if method == "POST" else None
            assert ask(port, method, path, body, TOKEN)[0] == 200
            assert ask(port, method, path, body, OTHER)[0] == 200
            for token in wrong:
                status, content, headers = ask(port, method, path, body, token)
                tries += 1
                assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), (path, token)
                assert b"Send a token" in content
            assert ask(port, method, path, body, Authorization=f"Basic {TOKEN}")[0] == 401
            assert ask(port, method, path, body, Authorization=TOKEN)[0] == 401
            tries += 2
        assert ask(rest, "GET", "/nowhere")[0] == 401
        status, _, headers = ask(rest, "OPTIONS", PREDICT, Origin="http://a")
        assert status == 200
        assert "Authorization" in headers["Access-Control-Allow-Headers"]
        assert ask(page, "GET", "/")[0] == ask(page, "GET", "/playground.js")[0] == 200

        check = health_pb2_grpc.HealthStub(channel).Check
        assert check(health_pb2.HealthCheckRequest(), timeout=10).status == health_pb2.HealthCheckResponse.SERVING
        for token in (TOKEN, OTHER):
            with GeneratorClient(target, "small", token=token) as client:
                assert client.sample([1]).shape == (1, 16, 16, 3)
        for token in (None, "wrong", TOKEN[:-1]):
            with (
                GeneratorClient(target, "small", token=token) as client,
                pytest.raises(ClientError, match=r"UNAUTHENTICATED.*Give the client a token"),
            ):
                client.sample([1])
            tries += 1
        status_of = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus
        twice = [("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer wrong")]
        for metadata in (None, twice, [("authorization", TOKEN)], [("token", TOKEN)]):
            with pytest.raises(grpc.RpcError) as caught:
                status_of(get_model_status_pb2.GetModelStatusRequest(), metadata=metadata, timeout=10)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            tries += 1
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/tensorflow.serving.PredictionService/Nothing")(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    attack("server", "requests without a token, or with a wrong one", tries, tries, "all refused, on every port")


def test_the_command_sends_the_token_of_a_file(base, token_file, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.write_text(TOKEN + "\n")
    with running(model_base_path=base, auth_tokens_file=str(token_file)) as (_, target):
        command = [f"--target={target}", "--model=small", "--labels=1", f"--output={tmp_path}/pictures"]
        assert fetch([*command, f"--token_file={mine}"]) == 0
        assert fetch([*command, "--timeout_s=5"]) == 1
    assert "UNAUTHENTICATED" in capsys.readouterr().err


def test_a_file_that_changes_is_read_again_and_a_damaged_one_admits_nobody(token_file):
    tokens = AuthTokens(str(token_file))
    assert tokens.admit(f"Bearer {TOKEN}")
    tokens._read_at -= 1.0  # as if a second had passed
    for content in (
        b"",
        b"# nothing\n",
        b"short\n",
        b"\xff\xfe" * 20,
        b"x" * 2**19,
        f"{TOKEN}\nwith a space in it\n".encode(),
    ):
        token_file.write_bytes(content)
        tokens._read_at -= 1.0
        assert not tokens.admit(f"Bearer {TOKEN}"), content[:40]
        assert not tokens.admit("Bearer "), content[:40]
    token_file.write_text(OTHER)
    assert not tokens.admit(f"Bearer {OTHER}")  # no second has passed
    tokens._read_at -= 1.0
    assert tokens.admit(f"bearer {OTHER}")
    assert not tokens.admit(f"Bearer {TOKEN}")
    token_file.unlink()
    tokens._read_at -= 1.0
    assert not tokens.admit(f"Bearer {OTHER}")
    os.mkfifo(token_file)
    tokens._read_at -= 1.0
    assert not tokens.admit(f"Bearer {OTHER}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("", "from 1 to 1000 tokens, one a line. Found: 0"),
        (f"{TOKEN}\nsecret\n", "Line 2 is no token"),
        ("\n".join(f"{TOKEN}{i}" for i in range(1001)), "Found: 1001"),
    ],
)
def test_a_file_without_tokens_is_an_error_at_the_start_that_shows_no_secret(tmp_path, content, reason):
    path = tmp_path / "tokens"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ServingError, match=reason) as caught:
        ModelServer(ServerOptions(model_base_path="/x", auth_tokens_file=str(path)))
    assert "secret" not in str(caught.value)


def test_a_peer_that_asks_too_often_has_to_wait(base):
    rest = free_port()
    options = {"rest_api_port": rest, "max_requests_per_second_per_peer": 5.0}
    with running(model_base_path=base, **options) as (_, target), grpc.insecure_channel(target) as channel:
        answers = [ask(rest, "GET", "/v1/models/small") for _ in range(30)]
        codes = [status for status, _, _ in answers]
        assert codes[0] == 200
        assert codes.count(429) > 10
        refused = next(answer for answer in answers if answer[0] == 429)
        assert int(refused[2]["Retry-After"]) >= 1
        assert "too many requests" in json.loads(refused[1])["error"]
        status_of = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus
        codes = []
        for _ in range(20):
            try:
                status_of(get_model_status_pb2.GetModelStatusRequest(), timeout=10)
            except grpc.RpcError as error:
                codes.append(error.code())
        assert grpc.StatusCode.RESOURCE_EXHAUSTED in codes
        time.sleep(1.1)
        assert ask(rest, "GET", "/v1/models/small")[0] == 200


@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_method_keeps_its_own_threads_behind_the_checks(token_file, token):
    def answering():
        return grpc.unary_unary_rpc_method_handler(lambda request, context: threading.current_thread().name.encode())

    own, shared = in_own_threads(answering(), 1, "own"), answering()
    access = Access(ServerOptions(auth_tokens_file=str(token_file), max_requests_per_second_per_peer=100.0))
    server = grpc.server(
        ThreadPoolExecutor(1, "shared"),
        handlers=[grpc.method_handlers_generic_handler("test", {"Own": own, "Shared": shared})],
        interceptors=access.interceptors(),
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            metadata = [("authorization", f"Bearer {token}")]
            for method, thread in (("Own", b"own"), ("Shared", b"shared")):
                call = channel.unary_unary(f"/test/{method}")
                if token is not None:
                    assert call(b"", metadata=metadata, timeout=20).startswith(thread)
                    continue
                with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
                    call(b"", metadata=metadata, timeout=20)
    finally:
        server.stop(None).wait()


def test_a_rate_holds_for_each_peer_and_remembers_few(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("serving.server.rate_limit.time.monotonic", lambda: now[0])
    limit = RateLimit(4.0)
    assert [limit.wait_s("a") for _ in range(6)] == [0.0] * 4 + [0.25, 0.25]
    assert limit.wait_s("b") == 0.0
    now[0] += 0.25
    assert [limit.wait_s("a"), limit.wait_s("a")] == [0.0, 0.25]
    for i in range(20_000):
        limit.wait_s(f"peer {i}")
    assert len(limit._full_at) == 10_000
    slow = RateLimit(0.5)
    assert [slow.wait_s("a"), slow.wait_s("a")] == [0.0, 2.0]


@pytest.mark.parametrize(
    ("grpc_name", "host", "peer"),
    [
        ("ipv4:10.0.0.7:50123", "10.0.0.7", "10.0.0.7"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:1", "::ffff:10.0.0.7", "10.0.0.7"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:1", "fe80::1%eth0", "fe80::/64"),
        ("unix:", "", LOCAL),
    ],
)
def test_a_peer_is_an_address_whichever_port_it_calls(grpc_name, host, peer):
    assert peer_of_grpc(grpc_name) == peer_of_host(host) == peer


def test_ports_listen_on_the_addresses_of_the_flags(base, caplog):
    caplog.set_level("INFO", "serving.server.model_server")
    rest, page = free_port(), free_port()
    options = {"rest_api_port": rest, "playground_port": page, "host": "127.0.0.2", "rest_api_host": "127.0.0.3"}
    with running(model_base_path=base, **options) as (_, target):
        port = int(target.rpartition(":")[2])
        for number, host in ((port, "127.0.0.2"), (rest, "127.0.0.3"), (page, "127.0.0.1")):
            for other in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
                with socket.socket() as probe:
                    assert (probe.connect_ex((other, number)) == 0) == (other == host), (number, other)
    expected = f"gRPC on 127.0.0.2:{port}, REST on 127.0.0.3:{rest}, the playground on 127.0.0.1:{page}"
    assert expected in caplog.messages[0]
    assert "TLS: off. Tokens: not needed" in caplog.messages[0]


def test_tls_is_on_every_port_and_asks_for_a_certificate_where_it_must(base, tmp_path):
    key, cert = certificate()
    (tmp_path / "pem").write_bytes(key + cert)
    text = {name: data.decode().replace("\n", "\\n") for name, data in (("key", key), ("cert", cert))}
    config = tmp_path / "ssl.config"
    common = f'server_key: "{text["key"]}" server_cert: "{text["cert"]}" '
    plain = ssl.create_default_context(cadata=cert.decode())
    with_certificate = ssl.create_default_context(cadata=cert.decode())
    with_certificate.load_cert_chain(tmp_path / "pem")
    for verify in (False, True):
        config.write_text(common + (f'custom_ca: "{text["cert"]}" client_verify: true' if verify else ""))
        rest, page = free_port(), free_port()
        ports = {"rest_api_port": rest, "playground_port": page, "ssl_config_file": str(config)}
        with running(model_base_path=base, **ports):
            for port, path in ((rest, "/v1/models/small"), (page, "/")):
                assert ask(port, "GET", path, context=with_certificate)[0] == 200
                if verify:
                    with pytest.raises((ssl.SSLError, ConnectionError)):
                        ask(port, "GET", path, context=plain)
                else:
                    assert ask(port, "GET", path, context=plain)[0] == 200
                with pytest.raises((http.client.HTTPException, ConnectionError)):
                    ask(port, "GET", path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('server_key: "a"', "must hold server_key and server_cert"),
        ('server_key: "a" server_cert: "b"', "holds no key and certificates that fit together"),
        ('server_key: "a" server_cert: "b" client_verify: true', "must hold their custom_ca"),
    ],
)
def test_a_tls_file_that_cannot_be_used_is_an_error_at_the_start(tmp_path, content, reason):
    path = tmp_path / "ssl.config"
    path.write_text(content)
    with pytest.raises(ServingError, match=reason):
        ModelServer(ServerOptions(model_base_path="/x", ssl_config_file=str(path)))


def test_tokens_are_checked_by_many_threads(token_file):
    tokens = AuthTokens(str(token_file))
    wrong = []

    def check():
        for _ in range(50):
            tokens._read_at -= 1.0
            if not tokens.admit(f"Bearer {TOKEN}") or tokens.admit("Bearer wrong"):
                wrong.append(1)

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
