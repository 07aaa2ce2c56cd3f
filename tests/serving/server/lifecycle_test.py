"""Hot swaps, broken versions and reloads, on real files and real requests."""

import gc
import os
import shutil
import threading

import pytest
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.client import ClientError, GeneratorClient
from serving.server.status import ServingError
from serving.server.versions import State
from tests.serving import small_model
from tests.serving.embedded import resident_mib, running, wait_for


@pytest.fixture
def base(tmp_path):
    small_model.write(str(tmp_path), 1)
    return str(tmp_path)


def states(server):
    return {v.number: v.state for v in server.core.manager.statuses("small")}


def stage_copy(base, version, damage):
    staged = os.path.join(base, "staged")
    shutil.copytree(os.path.join(base, "1"), staged)
    damage(staged)
    os.rename(staged, os.path.join(base, str(version)))


def without_variables(path):
    shutil.rmtree(os.path.join(path, "variables"))


def with_a_torn_graph(path):
    with open(os.path.join(path, "saved_model.pb"), "r+b") as file:
        file.truncate(os.path.getsize(file.name) // 2)


def with_a_broken_warmup(path):
    with open(os.path.join(path, "assets.extra", "tf_serving_warmup_requests"), "wb") as file:
        file.write(b"not a record at all, and longer than a header")


@pytest.mark.parametrize("damage", [without_variables, with_a_torn_graph, with_a_broken_warmup])
def test_a_broken_version_is_not_served_and_the_status_says_why(base, damage):
    with running(model_base_path=base) as (server, target), GeneratorClient(target, "small") as client:
        stage_copy(base, 2, damage)
        wait_for(lambda: states(server).get(2) is State.END)
        broken = server.core.manager.statuses("small")[0]
        assert broken.error is not None
        assert broken.error.message
        assert states(server)[1] is State.AVAILABLE
        assert client.embed([1])[0, 1] == 1.0


def test_a_start_with_a_broken_model_fails_with_the_contract_s_words(tmp_path):
    os.makedirs(tmp_path / "1")
    with (
        pytest.raises(ServingError, match=r"1 servable\(s\) did not become available: \{\{name: small version: 1\}"),
        running(model_base_path=str(tmp_path)),
    ):
        pass


def swap_under_load(base, swaps, reloads):
    """Returns (answers, failures, memory in MiB after each swap)."""
    failures, answers, memory = [], [], []
    stop = threading.Event()

    def load(target):
        with GeneratorClient(target, "small", timeout_s=20) as client:
            while not stop.is_set():
                try:
                    before = newest[0]
                    value = client.embed([1])[0, 1]
                    answers.append((before, value))
                except ClientError as error:
                    failures.append(str(error))

    newest = [1]
    with running(model_base_path=base) as (server, target):
        threads = [threading.Thread(target=load, args=(target,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for version in range(2, swaps + 2):
            small_model.write(base, version)
            wait_for(lambda version=version: states(server).get(version) is State.AVAILABLE)
            newest[0] = version
            wait_for(lambda version=version: states(server).get(version - 1) is State.END)
            gc.collect()
            memory.append(resident_mib())
        for _ in range(reloads):
            config = model_server_config_pb2.ModelServerConfig()
            config.model_config_list.config.add(name="small", base_path=base, model_platform="tensorflow")
            server.core.models.reload(config)
        stop.set()
        for thread in threads:
            thread.join()
    return answers, failures, memory


def check_swaps(base, swaps, reloads):
    answers, failures, memory = swap_under_load(base, swaps, reloads)
    assert not failures
    assert len(answers) > 10 * swaps
    # A request sent when version N was available may be answered by N or by what followed, never by an older one.
    assert all(value >= before for before, value in answers)
    assert all(value in range(1, swaps + 2) for _, value in answers)
    return memory


@pytest.mark.slow
def test_two_hot_swaps_and_a_reload_under_load_lose_nothing(base):
    check_swaps(base, 2, 1)


@pytest.mark.slow
def test_ten_hot_swaps_and_five_reloads_under_load_lose_nothing_and_give_memory_back(base):
    memory = check_swaps(base, 10, 5)
    # This process also writes the versions, which costs memory of its own; it must not grow with every swap.
    assert memory[-1] - memory[4] < 100, memory


def test_labels_follow_the_configuration(base):
    config = model_server_config_pb2.ModelServerConfig()
    model = config.model_config_list.config.add(name="small", base_path=base, model_platform="tensorflow")
    with running(model_base_path=base) as (server, _):
        model.version_labels["stable"] = 9
        with pytest.raises(ServingError, match="Request to assign label to version 9 of model small, which is not"):
            server.core.models.reload(config)
        model.version_labels["stable"] = 1
        server.core.models.reload(config)
        assert server.core.resolve(model_pb2.ModelSpec(name="small", version_label="stable")) == 1
        assert states(server) == {1: State.AVAILABLE}
