"""TLS, health, flags, drain and the shipped config files, on a server of their own."""

import concurrent.futures
import datetime
import http.client
import os
import pathlib
import signal
import subprocess
import sys

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.client import ClientError, GeneratorClient
from serving.server.batching import Batching
from serving.server.flags import FlagError, ServerOptions, parse
from serving.server.model_server import ModelServer
from serving.server.status import ServingError
from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import running, wait_for

DEPLOY = pathlib.Path(__file__).parents[3] / "serving" / "deploy"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("server")
    small_model.write(str(path), 1)
    return str(path)


METRICS = "/monitoring/prometheus/metrics"


def page(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    content = answer.read()
    connection.close()
    return content


def refused(client):
    try:
        client.sample([1])
    except ClientError as error:
        return error.code is grpc.StatusCode.UNAVAILABLE
    return False


def give_signal_to_another_thread(process, number):
    """Sends a signal as the kernel sometimes gives it: not to the main thread, which alone runs Python's handlers."""
    # Linux prefers the thread whose number is named.
    os.kill(next(thread for thread in map(int, os.listdir(f"/proc/{process}/task")) if thread != process), number)


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, built.public_bytes(serialization.Encoding.PEM)


def test_mutual_tls_admits_who_has_a_certificate(base, tmp_path):
    key, cert = certificate()
    pem = cert.decode().replace("\n", "\\n")
    config = tmp_path / "ssl.config"
    config.write_text(
        f'server_key: "{key.decode().replace(chr(10), chr(92) + "n")}" server_cert: "{pem}" custom_ca: "{pem}" '
        "client_verify: true"
    )
    with running(model_base_path=base, ssl_config_file=str(config)) as (_, target):
        address = target.replace("127.0.0.1", "localhost")
        both = grpc.ssl_channel_credentials(cert, key, cert)
        with GeneratorClient(address, "small", credentials=both) as client:
            assert client.sample([1]).shape == (1, 16, 16, 3)
        for credentials in (grpc.ssl_channel_credentials(cert), None):
            with (
                GeneratorClient(address, "small", credentials=credentials, timeout_s=1) as client,
                pytest.raises(ClientError, match="UNAVAILABLE"),
            ):
                client.sample([1])


def test_health_says_serving(base):
    with (
        running(model_base_path=base, enable_grpc_healthcheck_service=True) as (_, target),
        grpc.insecure_channel(target) as channel,
    ):
        check = health_pb2_grpc.HealthStub(channel).Check
        for service in ("", "ModelService", "PredictionService"):
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"port": 0, "model_base_path": "/x"}, "At least one of --port or --grpc_socket_path must be set"),
        ({}, "model_config_file are empty"),
        ({"model_base_path": "/x", "batching_parameters_file": "f"}, "without setting server_options.enable_batching"),
        (
            {"model_base_path": "/x", "use_alts_credentials": True, "ssl_config_file": "f"},
            "ssl_config_file must be empty",
        ),
        (
            {
                "model_base_path": "/x",
                "tensorflow_session_parallelism": 1,
                "tensorflow_intra_op_parallelism": 1,
                "tensorflow_inter_op_parallelism": 1,
            },
            "You cannot configure all",
        ),
    ],
)
def test_flags_that_contradict_each_other_are_refused(options, text):
    with pytest.raises(ServingError, match=text):
        ModelServer(ServerOptions(**options))


def test_flags_are_read_as_tensorflow_reads_them():
    options, unknown = parse(["--port=1", "--enable_batching", "--enable_model_warmup=0", "--what", "x"])
    assert (options.port, options.enable_batching, options.enable_model_warmup) == (1, True, False)
    assert unknown == ["--what", "x"]
    with pytest.raises(FlagError, match="Couldn't interpret value a for flag port"):
        parse(["--port=a"])


def test_config_text_that_does_not_parse_names_the_file(base, tmp_path):
    path = tmp_path / "models.config"
    path.write_text("model_config_list { what }")
    with (
        pytest.raises(ServingError, match=r"Invalid protobuf file: '.*models.config'.*ModelServerConfig"),
        running(model_config_file=str(path)),
    ):
        pass


def test_batching_sizes_must_end_at_the_largest_batch(tmp_path):
    path = tmp_path / "batching"
    path.write_text("max_batch_size { value: 8 } allowed_batch_sizes: 4")
    with pytest.raises(ServingError, match="last entry was 4; expected 8"):
        Batching.read(str(path))
    path.write_text("num_batch_threads: 4")
    with pytest.raises(ServingError, match="Invalid protobuf file"):
        Batching.read(str(path))


def test_the_shipped_config_files_serve(base, tmp_path):
    models = tmp_path / "models.config"
    models.write_text((DEPLOY / "models.config").read_text().replace("/models/biggan", base))
    rest = free_port()
    with (
        running(
            model_config_file=str(models),
            enable_batching=True,
            batching_parameters_file=str(DEPLOY / "batching.config"),
            monitoring_config_file=str(DEPLOY / "monitoring.config"),
            rest_api_port=rest,
        ) as (_, target),
        GeneratorClient(target) as client,
    ):
        assert client.sample([1] * 9).shape == (9, 16, 16, 3)
        assert b"signature_def" in page(rest, "/v1/models/biggan/metadata")
        lines = page(rest, METRICS).decode().splitlines()
        # What the autoscaler reads: the warm-up and two requests for nine rows each waited for their batch.
        name = ":tensorflow:serving:batching_session:queuing_latency_count"
        assert f'{name}{{thread_pool_name="model_server_batch_threads"}} 3' in lines


@pytest.mark.slow
def test_the_binary_answers_what_it_has_begun_after_sigterm_and_refuses_the_rest(tmp_path):
    gate, base, port, rest = tmp_path / "open", tmp_path / "models", free_port(), free_port()
    base.mkdir()
    small_model.write(str(base), 1, warmup=False, model=small_model.GatedModel(1, gate))
    monitoring = DEPLOY / "monitoring.config"
    command = [sys.executable, "-m", "serving.server", f"--port={port}", f"--rest_api_port={rest}", "--strange=1"]
    command += ["--model_name=small", f"--model_base_path={base}", f"--monitoring_config_file={monitoring}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        target = f"127.0.0.1:{port}"
        with grpc.insecure_channel(target) as channel:
            grpc.channel_ready_future(channel).result(timeout=300)
        begun, later = [GeneratorClient(target, "small", timeout_s=wait_s) for wait_s in (300, 0.5)]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(begun.sample, [1])
            wait_for(lambda: b":requests_in_flight{} 1\n" in page(rest, METRICS), 120)
            give_signal_to_another_thread(process.pid, signal.SIGTERM)
            # The port closes once the signal has been taken; nothing but the gate ends the first request.
            wait_for(lambda: refused(later), 120)
            assert not answer.done()
            gate.touch()
            assert answer.result(timeout=120).shape == (1, 16, 16, 3)
        assert process.wait(timeout=120) == 0
        assert process.stderr is not None
        assert "unknown argument: --strange=1" in process.stderr.read()


def test_serve_prefers_the_real_server(tmp_path):
    fake = tmp_path / "tensorflow_model_server"
    fake.write_text('#!/bin/sh\necho real "$@"\n')
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    serve = DEPLOY.parent / "serve"
    result = subprocess.run([serve, "--port=1"], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "real --port=1\n"
