"""The server without its ports: what is counted, how the models' sessions are configured, and what a load leaves."""

import contextlib
import types

import pytest
from tensorflow_serving.apis import predict_pb2

from serving.server import core as core_module
from serving.server.core import ServerCore
from serving.server.flags import ServerOptions
from serving.server.status import ServingError, invalid_argument


@pytest.fixture
def make():
    with contextlib.ExitStack() as stack:

        def made(**options):
            core = ServerCore(ServerOptions(model_name="small", model_base_path="/nowhere", **options))
            stack.callback(core.stop)
            return core

        yield made


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "OK"), (RuntimeError("a fault"), "INTERNAL"), (invalid_argument("z"), "INVALID_ARGUMENT")],
)
def test_a_request_is_counted_under_what_became_of_it(make, monkeypatch, error, status):
    core = make()

    def run_predict(*unused):
        if error is not None:
            raise error
        return {}

    version = types.SimpleNamespace(number=1)
    monkeypatch.setattr(core.manager, "handle", lambda name, number: contextlib.nullcontext((version, None)))
    monkeypatch.setattr(core_module, "run_predict", run_predict)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "small"
    with pytest.raises(type(error)) if error is not None else contextlib.nullcontext():
        core.predict(request, None, "GRPC")
    counted = [line for line in core.metrics.render().splitlines() if "request_count{" in line]
    assert counted == [f':tensorflow:serving:request_count{{model_name="unknown",status="{status}"}} 1']


def test_threads_of_the_session_config_file_stay_unless_a_flag_says_others(make, tmp_path):
    file = tmp_path / "session"
    file.write_text("intra_op_parallelism_threads: 3 inter_op_parallelism_threads: 5")
    path = {"tensorflow_session_config_file": str(file)}
    for options, threads in (
        (path, (3, 5)),
        ({**path, "tensorflow_intra_op_parallelism": 2}, (2, 5)),
        ({**path, "tensorflow_session_parallelism": 7}, (7, 7)),
        ({}, (0, 0)),
    ):
        config = make(**options)._session_config
        assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == threads


class Loaded:
    """Stands in for a model, and remembers the batching it was loaded with and whether it was closed."""

    last = None

    def __init__(self, path, tags, config, batching, on_queued):
        self.batching, self.closed = batching, False
        Loaded.last = self

    def close(self):
        self.closed = True


@pytest.fixture
def version(monkeypatch, tmp_path):
    monkeypatch.setattr(core_module, "LoadedModel", Loaded)
    (tmp_path / "1").mkdir()
    return tmp_path / "1"


def test_a_models_own_batching_needs_the_flag_of_batching_and_shares_the_servers_threads(make, version, tmp_path):
    (version / "batching_params.pbtxt").write_text("max_batch_size { value: 4 } num_batch_threads { value: 9 }")
    (tmp_path / "global").write_text("max_batch_size { value: 16 } num_batch_threads { value: 3 }")
    own = {"enable_per_model_batching_parameters": True}
    shared = {"enable_batching": True, "batching_parameters_file": str(tmp_path / "global")}
    assert make(**own)._load("small", 1, str(version)).batching is None
    batching = make(**own, **shared)._load("small", 1, str(version)).batching
    assert (batching.max_batch_size, batching.num_batch_threads) == (4, 3)
    assert make(**shared)._load("small", 1, str(version)).batching.max_batch_size == 16
    (version / "batching_params.pbtxt").unlink()
    assert make(**own, **shared)._load("small", 1, str(version)).batching is None


@pytest.mark.parametrize("error", [invalid_argument("a record"), MemoryError("no room"), KeyError("x")])
def test_a_model_whose_warm_up_fails_is_closed(make, version, monkeypatch, error):
    def fail(*unused):
        raise error

    monkeypatch.setattr(core_module, "warm_up", fail)
    with pytest.raises(type(error)):
        make()._load("small", 1, str(version))
    assert Loaded.last.closed


def test_a_version_without_a_folder_is_not_loaded(make, version):
    with pytest.raises(ServingError, match="must be a folder"):
        make()._load("small", 2, str(version.parent / "2"))
