"""One server for clients that others wrote."""

import pytest

from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import running
from tests.serving.foreign import protoset


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """(the gRPC address, the REST port, the port of the playground) of a server with batching and metrics."""
    base, folder = tmp_path_factory.mktemp("foreign"), tmp_path_factory.mktemp("config")
    small_model.write(str(base), 1)
    (folder / "batching").write_text("max_batch_size { value: 8 } max_enqueued_batches { value: 100 }")
    (folder / "monitoring").write_text("prometheus_config { enable: true }")
    rest, playground = free_port(), free_port()
    with running(
        model_base_path=str(base),
        rest_api_port=rest,
        playground_port=playground,
        enable_batching=True,
        batching_parameters_file=str(folder / "batching"),
        monitoring_config_file=str(folder / "monitoring"),
        enable_grpc_healthcheck_service=True,
    ) as (_, target):
        yield target, rest, playground


@pytest.fixture(scope="session")
def services(tmp_path_factory):
    """The file that describes the services."""
    return protoset.write(tmp_path_factory.mktemp("protoset") / "services.protoset")
