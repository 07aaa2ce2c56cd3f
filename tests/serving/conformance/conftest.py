"""The server under test: --target=HOST:PORT, or an embedded one.

A server given by address must serve the model that `python -m tests.serving.conformance.write_model BASE` writes, as
`small`, with --enable_batching and max_batch_size 8; ours also needs --enable_reload.
"""

import grpc
import pytest
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from tests.free_port import free_port
from tests.serving import small_model


def pytest_addoption(parser):
    parser.addoption("--target", default="", help="HOST:PORT of a running server's gRPC port")
    parser.addoption("--rest_target", default="", help="HOST:PORT of its REST port")


@pytest.fixture(scope="session")
def target(request, tmp_path_factory):
    """gRPC and REST addresses."""
    given = request.config.getoption("--target", default="")
    if given:
        yield given, request.config.getoption("--rest_target", default="")
        return
    from serving.server.flags import ServerOptions
    from serving.server.model_server import ModelServer

    root = tmp_path_factory.mktemp("conformance")
    base = root / "small"
    base.mkdir()
    for version in (1, 2):
        small_model.write(str(base), version)
    batching, monitoring = root / "batching", root / "monitoring"
    batching.write_text(
        "max_batch_size { value: 8 } batch_timeout_micros { value: 0 } max_enqueued_batches { value: 50 }"
    )
    monitoring.write_text("prometheus_config { enable: true }")
    config = root / "models"
    config.write_text(
        f'model_config_list {{ config {{ name: "small" base_path: "{base}" model_platform: "tensorflow" '
        "model_version_policy { all {} } } }"
    )
    options = ServerOptions(
        port=free_port(),
        rest_api_port=free_port(),
        model_config_file=str(config),
        enable_batching=True,
        batching_parameters_file=str(batching),
        monitoring_config_file=str(monitoring),
        enable_grpc_healthcheck_service=True,
        enable_reload=True,
    )
    server = ModelServer(options)
    server.start()
    while not server.core.manager.is_available("small", 1):
        pass
    yield f"127.0.0.1:{options.port}", f"127.0.0.1:{options.rest_api_port}"
    server.stop(1.0)


@pytest.fixture(scope="session")
def channel(target):
    with grpc.insecure_channel(target[0]) as channel:
        yield channel


@pytest.fixture(scope="session")
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="session")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def pytest_report_header(config):
    return "conformance: not covered are the rows that serving/server/__init__.py lists as not served"
