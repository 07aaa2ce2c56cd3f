"""The manager by itself: versions that are wanted again, on models that load at once or fail at once."""

import contextlib
import time

import pytest

from serving.server.model_manager import ModelManager
from serving.server.status import ServingError, not_found
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


def load_if_sound(name, number, path):
    if "broken" in path:
        raise not_found(f"{path} is broken")
    return Model(path)


@contextlib.contextmanager
def managing(max_retries=0, retry_interval_s=0.0):
    manager = ModelManager(load_if_sound, max_retries, retry_interval_s, 1)
    try:
        yield manager
    finally:
        manager.stop()


def test_a_wait_goes_on_for_a_version_that_is_loaded_again_after_its_unload_whatever_became_of_another():
    with managing() as manager:
        manager.aspire("small", {1: "/sound/1"})
        wait_for(lambda: state(manager) is State.AVAILABLE, 10)
        with manager.handle("small", None):  # a request, for which the unload has to wait
            manager.aspire("small", {})
            wait_for(lambda: state(manager) is State.UNLOADING, 10)
            manager.aspire("small", {1: "/sound/1", 2: "/broken/2"})
            wait_for(lambda: state(manager, 2) is State.END, 10)
            with pytest.raises(ServingError, match="Waited too long for these models"):
                manager.wait_available(["small"], "model", time.monotonic())
        manager.wait_available(["small"], "model", time.monotonic() + 10)


def test_a_wait_ends_when_the_version_that_is_unloaded_is_not_wanted_again():
    with managing() as manager:
        manager.aspire("small", {1: "/sound/1"})
        wait_for(lambda: state(manager) is State.AVAILABLE, 10)
        with manager.handle("small", None):
            manager.aspire("small", {})
            wait_for(lambda: state(manager) is State.UNLOADING, 10)
            manager.aspire("small", {2: "/broken/2"})
            wait_for(lambda: state(manager, 2) is State.END, 10)
            with pytest.raises(ServingError, match="/broken/2 is broken"):
                manager.wait_available(["small"], "model", time.monotonic() + 10)


def test_a_version_that_waits_for_another_try_is_loaded_from_the_folder_that_it_has_then():
    with managing(max_retries=1, retry_interval_s=1.0) as manager:
        manager.aspire("small", {1: "/broken/1"})
        wait_for(lambda: manager.statuses("small")[0].retry_at is not None, 10)
        manager.aspire("small", {1: "/sound/001"})
        wait_for(lambda: state(manager) is State.AVAILABLE, 10)
        with manager.handle("small", 1) as (version, model):
            assert (version.path, model.path) == ("/sound/001", "/sound/001")


class TakenAway:
    """A manager's lock that takes the model from a version when it is given back, as a stop does that waits no longer.

    Args:
        lock: The lock of the manager.
        version: The version that loses its model.
    """

    def __init__(self, lock, version):
        self._lock, self._version = lock, version

    def __enter__(self):
        self._lock.__enter__()

    def __exit__(self, *error):
        self._version.model = None
        self._lock.__exit__(*error)


def test_a_request_keeps_the_model_that_a_stop_takes_from_its_version(manager):
    manager.aspire("small", {1: "/old/1"})
    wait_for(lambda: state(manager) is State.AVAILABLE, 10)
    lock, (version,) = manager._changed, manager.statuses("small")
    manager._changed = TakenAway(lock, version)
    handle = manager.handle("small", 1)
    _, model = handle.__enter__()
    manager._changed = lock
    handle.__exit__(None, None, None)
    assert version.model is None
    assert model.path == "/old/1"
