"""Configs that are taken over while the server runs: who may send one, and what a bad one can do."""

import concurrent.futures
import logging
import os
import shutil
import threading
import time

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2_grpc

from serving.client import GeneratorClient
from serving.server.status import ServingError
from serving.server.versions import State
from tests.serving import small_model
from tests.serving.embedded import running, wait_for


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """The folder of a version, to copy."""
    return small_model.write(str(tmp_path_factory.mktemp("export")), 1)


@pytest.fixture
def base(tmp_path, export):
    base = tmp_path / "small"
    shutil.copytree(export, base / "1")
    return str(base)


def add_version(base, number):
    shutil.copytree(os.path.join(base, "1"), os.path.join(base, "staged"))
    os.rename(os.path.join(base, "staged"), os.path.join(base, str(number)))


def config_of(**base_paths):
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for name, path in base_paths.items():
        request.config.model_config_list.config.add(name=name, base_path=path, model_platform="tensorflow")
    return request


def answer_of(stub, request, timeout=10):
    """Returns (the code, the text, the seconds that it took)."""
    start = time.monotonic()
    try:
        stub.HandleReloadConfigRequest(request, timeout=timeout)
    except grpc.RpcError as error:
        return error.code(), error.details(), time.monotonic() - start
    return grpc.StatusCode.OK, "", time.monotonic() - start


def is_available(server, number):
    return server.core.manager.is_available("small", number)


def test_no_client_may_replace_the_models_unless_the_flag_allows_it(base):
    with running(model_base_path=base) as (server, target), grpc.insecure_channel(target) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        for request in (config_of(), config_of(small=base), config_of(other="/tmp")):
            code, text, _ = answer_of(stub, request)
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert "--enable_reload" in text
        assert server.core.models.names == ["small"]
        assert is_available(server, 1)


def test_a_bad_path_is_refused_at_once_and_new_versions_are_still_noticed(base, tmp_path):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    bad = ["/tmp/\0", "relative", "", str(tmp_path / "nowhere"), str(tmp_path / "file"), str(tmp_path / "file" / "x")]
    bad += [
        "/" + "x" * 300,
        "/x" * 5000,
        str(tmp_path / "loop"),
        str(tmp_path / "dangling"),
        "gs://bucket/model",
        "/\n",
    ]
    with (
        running(model_base_path=base, enable_reload=True) as (server, target),
        grpc.insecure_channel(target) as channel,
    ):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        for path in bad:
            for request in (config_of(small=base, bad=path), config_of(small=path)):
                code, text, seconds = answer_of(stub, request)
                assert code is grpc.StatusCode.INVALID_ARGUMENT, (path[:80], text)
                assert seconds < 2
        add_version(base, 2)
        wait_for(lambda: is_available(server, 2), 20)
        code, text, _ = answer_of(stub, config_of(small=base, second=base))
        assert code is grpc.StatusCode.OK, text
        assert server.core.models.names == ["second", "small"]


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "\0"])
def test_the_name_of_a_model_can_be_printed(base, name):
    with running(model_base_path=base) as (server, _), pytest.raises(ServingError, match="name of a model must have"):
        server.core.models.reload(config_of(**{name: base}).config)


def test_an_empty_list_unloads_nothing(base):
    with (
        running(model_base_path=base, enable_reload=True) as (_, target),
        grpc.insecure_channel(target) as channel,
        GeneratorClient(target, "small") as client,
    ):
        code, text, _ = answer_of(model_service_pb2_grpc.ModelServiceStub(channel), config_of())
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "which would unload every model" in text
        assert client.embed([1])[0, 1] == 1.0


def test_a_config_file_that_is_being_written_unloads_nothing(base, tmp_path, caplog):
    file = tmp_path / "models.config"
    model = f'config {{ name: "small" base_path: "{base}" model_platform: "tensorflow" }}'
    file.write_text(f"model_config_list {{ {model} }}")
    with running(model_config_file=str(file), model_config_file_poll_wait_seconds=1) as (server, _):
        file.write_text("")
        wait_for(lambda: "lists no model" in caplog.text, 20)
        time.sleep(1.5)
        assert is_available(server, 1)
        assert caplog.text.count("lists no model") == 1
        file.write_text(f"model_config_list {{ {model} {model.replace('small', 'again', 1)} }}")
        wait_for(lambda: server.core.models.names == ["again", "small"], 20)


def test_a_path_that_can_never_be_listed_ends_the_start(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(ServingError, match="must be a folder that can be listed"),
        running(model_base_path=str(tmp_path / "file")),
    ):
        pass


def test_a_folder_that_is_mounted_after_the_start_is_served(base, tmp_path):
    later = tmp_path / "later"
    threading.Timer(2.0, os.rename, (base, later)).start()
    with running(model_base_path=str(later)) as (server, _):
        assert is_available(server, 1)


def test_a_folder_that_goes_away_is_logged_once_and_noticed_when_it_comes_back(base, caplog):
    with running(model_base_path=base) as (server, _):
        os.rename(base, base + "-away")
        wait_for(lambda: "Could not find base path" in caplog.text, 20)
        time.sleep(1.5)
        assert caplog.text.count("Could not find base path") == 1
        assert is_available(server, 1)
        os.rename(base + "-away", base)
        add_version(base, 2)
        wait_for(lambda: is_available(server, 2), 20)


def test_a_model_without_its_folder_does_not_hide_the_versions_of_others(base, tmp_path):
    shutil.copytree(base, tmp_path / "gone")
    with running(model_base_path=base) as (server, _):
        server.core.models.reload(config_of(a_gone=str(tmp_path / "gone"), small=base).config, 20)
        shutil.rmtree(tmp_path / "gone")
        add_version(base, 2)
        wait_for(lambda: is_available(server, 2), 20)


def test_a_thread_that_repeats_work_survives_every_error_and_logs_each_kind_once(base, caplog):
    with running(model_base_path=base) as (server, _):
        turns = []

        def work():
            turns.append(1)
            raise [RuntimeError("a"), ValueError("b"), RecursionError("c"), MemoryError()][len(turns) % 4]

        with caplog.at_level(logging.ERROR):
            server.core._every(0.01, work, "hostile-work")
            wait_for(lambda: len(turns) > 40, 20)
        assert caplog.text.count("hostile-work failed") == 4


def test_a_wait_ends_with_its_deadline_however_long_that_is(base, tmp_path):
    empty = str(tmp_path / "empty")
    os.mkdir(empty)
    with (
        running(model_base_path=base, enable_reload=True) as (server, target),
        grpc.insecure_channel(target) as channel,
    ):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        code, _, seconds = answer_of(stub, config_of(small=base, empty=empty), timeout=1)
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert seconds < 3
        # Longer than a lock can be waited for.
        forever = stub.HandleReloadConfigRequest.future(config_of(small=base, other=empty), timeout=7e9)
        time.sleep(0.5)
        assert not forever.done()
        assert answer_of(stub, config_of(small=base))[0] is grpc.StatusCode.OK
        assert forever.code() is grpc.StatusCode.ABORTED
        assert server.core.models.names == ["small"]


def test_reloads_are_answered_by_threads_of_their_own(base):
    # own_threads.py relies on an attribute that gRPC calls experimental.
    with running(model_base_path=base) as (_, target), grpc.insecure_channel(target) as channel:
        answer_of(model_service_pb2_grpc.ModelServiceStub(channel), config_of(small=base))
        assert any(thread.name.startswith("reload") for thread in threading.enumerate())


def send_300(target, requests, timeout):
    """Sends 300 reloads that cannot be answered soon; returns the calls."""
    channel = grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)])
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    return channel, [
        stub.HandleReloadConfigRequest.future(requests[i % len(requests)], timeout=timeout) for i in range(300)
    ]


@pytest.mark.attack
@pytest.mark.parametrize("timeout", [2, None])
@pytest.mark.parametrize("kind", ["missing path", "empty folder, a name each", "empty folder, more models each"])
def test_300_reloads_that_wait_leave_the_server_answering(base, tmp_path, attack, kind, timeout):
    empty = str(tmp_path / "empty")
    os.mkdir(empty)
    requests = {
        "missing path": [config_of(small=base, **{f"m{i}": f"/nowhere/{i}"}) for i in range(300)],
        "empty folder, a name each": [config_of(small=base, **{f"m{i}": empty}) for i in range(300)],
        "empty folder, more models each": [
            config_of(small=base, **{f"m{j}": empty for j in range(i + 1)}) for i in range(300)
        ],
    }[kind]
    ask = get_model_status_pb2.GetModelStatusRequest()
    ask.model_spec.name = "small"
    with (
        running(model_base_path=base, enable_reload=True) as (server, target),
        grpc.insecure_channel(target) as channel,
        GeneratorClient(target, "small", timeout_s=20) as client,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        hostile, calls = send_300(target, requests, timeout)
        slowest, answered = 0.0, 0
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            start = time.monotonic()
            assert client.embed([1])[0, 1] == 1.0
            stub.GetModelStatus(ask, timeout=20)
            slowest, answered = max(slowest, time.monotonic() - start), answered + 1
        code, text, seconds = pool.submit(answer_of, stub, config_of(small=base), 30).result()
        assert code is grpc.StatusCode.OK, text
        assert seconds < 15  # on a machine with much else to do
        wait_for(lambda: all(call.done() for call in calls), 60)
        codes = {call.code() for call in calls}
        hostile.close()
        assert codes <= {
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.ABORTED,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.OK,  # of a name that another call has configured already
        }, codes
        wait_for(lambda: server.core.models.names == ["small"], 20)
        assert server.core.manager.statuses("small")[0].state is State.AVAILABLE
        outcome = (
            f"{answered} Predicts and GetModelStatus beside them answered, slowest {slowest:.2f} s; the reload back "
        )
        outcome += f"after {seconds:.2f} s"
        waited = f"a deadline of {timeout} s" if timeout else "no deadline"
        attack("server", f"reloads that wait: {kind}, {waited}", 300, 300, outcome)
