"""The manager by itself: versions that are wanted again, on models that load at once."""

import contextlib

import pytest

from serving.server.model_manager import ModelManager
from serving.server.status import ServingError
from serving.server.versions import State
from tests.serving.embedded import wait_for


class Model:
    """Stands in for a loaded model."""

    def __init__(self, path):
        self.path = path

    def close(self):
        pass


@pytest.fixture
def manager():
    manager = ModelManager(lambda name, number, path: Model(path), 0, 0.0, 1)
    yield manager
    manager.stop()


def state(manager, number=1):
    return {version.number: version.state for version in manager.statuses("small")}.get(number)


def test_a_version_that_is_wanted_again_while_it_is_unloaded_is_loaded_from_its_new_folder(manager):
    manager.aspire("small", {1: "/old/1"})
    wait_for(lambda: state(manager) is State.AVAILABLE, 10)
    with manager.handle("small", None):  # a request, for which the unload has to wait
        manager.aspire("small", {})
        wait_for(lambda: state(manager) is State.UNLOADING, 10)
        manager.aspire("small", {1: "/new/1"})
        assert state(manager) is State.UNLOADING
    wait_for(lambda: state(manager) is State.AVAILABLE, 10)
    with manager.handle("small", 1) as (version, model):
        assert (version.path, model.path) == ("/new/1", "/new/1")


def test_a_version_that_is_not_wanted_again_ends(manager):
    manager.aspire("small", {1: "/old/1"})
    wait_for(lambda: state(manager) is State.AVAILABLE, 10)
    with manager.handle("small", 1):
        manager.aspire("small", {})
        wait_for(lambda: state(manager) is State.UNLOADING, 10)
        manager.aspire("small", {1: "/new/1"})
        manager.aspire("small", {})
    wait_for(lambda: state(manager) is State.END, 10)
    with pytest.raises(ServingError, match=r"Servable not found for request: Specific\(small, 1\)"):
        manager.handle("small", 1).__enter__()


def test_a_handle_is_given_back_whatever_its_request_raises(manager):
    manager.aspire("small", {1: "/old/1"})
    wait_for(lambda: state(manager) is State.AVAILABLE, 10)
    with contextlib.suppress(KeyError), manager.handle("small", 1):
        raise KeyError
    assert manager.statuses("small")[0].handles == 0
