"""Loads and unloads versions so that a model of which any version can be served is always served."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

from serving.server import heap
from serving.server.loaded_model import LoadedModel
from serving.server.repeated_errors import RepeatedErrors
from serving.server.status import ServingError, not_found
from serving.server.versions import State, Version, next_load, next_retry, next_unload

_log = logging.getLogger(__name__)
_TICK_S = 0.1
# A wait looks this often whether it is still wanted.
_LONGEST_WAIT_S = 0.5
# How long a stop waits for what still runs, and then for what was closed under it.
_PATIENCE_S = 2.0
_UNLOAD_THREADS = 2


class ModelManager:
    """Loads and unloads versions until those that are aspired are served and no others.

    Args:
        loader: Loads a version from (name of the model, number of the version, its folder) and warms it up.
        max_retries: How often a load that failed is tried again.
        retry_interval_s: Seconds between two tries.
        load_threads: Number of versions that are loaded at a time; fewer than 1: one.
    """

    def __init__(
        self,
        loader: Callable[[str, int, str], LoadedModel],
        max_retries: int,
        retry_interval_s: float,
        load_threads: int,
    ):
        self._loader = loader
        self._max_retries, self._retry_interval_s = max_retries, retry_interval_s
        self._changed = threading.Condition()
        self._models: dict[str, dict[int, Version]] = {}
        self._loading: list[Version] = []
        self._unloading: list[Version] = []
        self._load_threads = max(load_threads, 1)
        self._pool = ThreadPoolExecutor(self._load_threads + 1 + _UNLOAD_THREADS, thread_name_prefix="lifecycle")
        self._errors = RepeatedErrors()
        self._is_stopping = False
        # After this, sessions are closed under the requests that still run in them.
        self._is_late = False
        self._is_stopped = False
        self._thread = threading.Thread(target=self._manage, name="model-manager", daemon=True)
        self._thread.start()

    def aspire(self, name: str, paths: dict[int, str]) -> None:
        """Says which versions of a model are to be served from now on.

        Args:
            name: The model.
            paths: The folders of the versions, by number; {}: none, the model is unloaded.
        """
        with self._changed:
            if self._is_stopping:
                return
            versions = self._models.setdefault(name, {})
            for number, path in paths.items():
                version = versions.get(number)
                if version is None or (version.state is State.END and not version.aspired):
                    versions[number] = Version(name, number, path)
                else:
                    version.aspired = True
                    # The next load, whether the first, another try or one after an unload, is of the folder of now.
                    if version.state is not State.AVAILABLE:
                        version.path = path
            for number, version in versions.items():
                if number not in paths:
                    self._give_up(version)
            if not versions:
                del self._models[name]
            self._changed.notify_all()

    def names(self) -> list[str]:
        """The names of all models that were ever aspired."""
        with self._changed:
            return list(self._models)

    def statuses(self, name: str) -> list[Version]:
        """All versions of a model that were ever aspired, the highest first."""
        with self._changed:
            return [v for _, v in sorted(self._models.get(name, {}).items(), reverse=True)]

    def is_available(self, name: str, number: int) -> bool:
        """Whether a version can be served now."""
        with self._changed:
            version = self._models.get(name, {}).get(number)
            return version is not None and version.state is State.AVAILABLE

    @contextmanager
    def handle(self, name: str, number: int | None) -> Iterator[tuple[Version, LoadedModel]]:
        """Keeps a version loaded until the block ends.

        Args:
            name: The model.
            number: The version; None: the highest that is available.

        Yields:
            (the version's state, the loaded model).

        Raises:
            ServingError: NOT_FOUND: no such version is available.
        """
        with self._changed:
            # The model is read under the lock: a server that stops takes it from a version under its requests.
            available = [
                (version, version.model)
                for version in self._models.get(name, {}).values()
                if version.state is State.AVAILABLE and version.model is not None and number in (None, version.number)
            ]
            if not available:
                wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
                raise not_found(f"Servable not found for request: {wanted}")
            version, model = max(available, key=lambda pair: pair[0].number)
            version.handles += 1
        try:
            yield version, model
        finally:
            with self._changed:
                version.handles -= 1
                if version.handles == 0 and version.state is State.UNLOADING:
                    self._changed.notify_all()

    def wait_available(
        self,
        names: list[str],
        kind: str,
        deadline: float | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Waits until every model has a version that is available.

        Args:
            names: The models.
            kind: What the error calls them: "model" or "servable".
            deadline: When the wait is given up, on the clock of `time.monotonic`; None: never.
            is_wanted: Tells whether the wait should go on.

        Raises:
            ServingError: UNKNOWN, when a model has ended in an error instead; DEADLINE_EXCEEDED; ABORTED, when the wait
                is not wanted any more; CANCELLED, when the server stops.
        """
        with self._changed:
            while True:
                waiting, failed = self._not_available(names)
                if failed:
                    items = "".join(
                        f"{{name: {v.name} version: {v.number}}} due to error: {v.error}}}, " for v in failed
                    )
                    message = f"{len(failed)} {kind}(s) did not become available: {{{items}}}"
                    raise ServingError(grpc.StatusCode.UNKNOWN, message)
                if not waiting:
                    return
                if self._is_stopping:
                    raise ServingError(grpc.StatusCode.CANCELLED, "The server is stopping")
                if not is_wanted():
                    raise ServingError(
                        grpc.StatusCode.ABORTED,
                        "The wait was given up: another config was taken over, or its caller left",
                    )
                left_s = _LONGEST_WAIT_S if deadline is None else deadline - time.monotonic()
                if left_s <= 0:
                    raise ServingError(
                        grpc.StatusCode.DEADLINE_EXCEEDED,
                        f"Waited too long for these {kind}s, which are configured and not served yet: "
                        f"{', '.join(waiting)}",
                    )
                self._changed.wait(min(left_s, _LONGEST_WAIT_S))

    def stop(self) -> None:
        """Unloads all models and ends the threads.

        Requests and loads that still run get a moment to end. Then the sessions are closed under them, which fails the
        requests, so that one that never ends does not keep the server from stopping.
        """
        with self._changed:
            self._is_stopping = True
            for versions in self._models.values():
                for version in versions.values():
                    self._give_up(version)
            self._changed.notify_all()
            if not self._changed.wait_for(self._all_ended, _PATIENCE_S):
                _log.warning("Not waiting any longer for requests or loads that have not ended")
            self._is_late = True
            self._changed.notify_all()
            self._changed.wait_for(self._all_ended, _PATIENCE_S)
            self._is_stopped = True
            self._changed.notify_all()
        self._thread.join(timeout=_PATIENCE_S)
        self._pool.shutdown(wait=False)

    def _all_ended(self) -> bool:
        return all(v.state is State.END for versions in self._models.values() for v in versions.values())

    def _not_available(self, names: list[str]) -> tuple[list[str], list[Version]]:
        """Returns (the models that may yet become available, the versions by whose errors others will not)."""
        waiting: list[str] = []
        failed: list[Version] = []
        for name in names:
            versions = list(self._models.get(name, {}).values())
            if any(v.state is State.AVAILABLE for v in versions):
                continue
            errors = [v for v in versions if v.aspired and v.state is State.END and v.error]
            if errors and not any(map(_is_coming, versions)):
                failed.extend(errors)
            else:
                waiting.append(name)
        return waiting, failed

    def _give_up(self, version: Version) -> None:
        """Says that a version is not to be served; one that no thread is busy with has ended by that."""
        version.aspired = False
        if version.state is State.START or version.retry_at is not None:
            version.retry_at = None
            self._set(version, State.END)

    def _manage(self) -> None:
        with self._changed:
            while not self._is_stopped:
                try:
                    acted = self._act()
                    self._errors.succeeded("manage")
                except Exception as error:  # noqa: BLE001  without this thread nothing is ever loaded again
                    acted = False
                    if self._errors.is_new("manage", error):
                        _log.exception("Loading or unloading could not be begun; it is tried again")
                if not acted:
                    self._changed.wait(_TICK_S)

    def _act(self) -> bool:
        """Begins one load or unload, if there is one to begin; returns whether there was."""
        models = [list(versions.values()) for versions in self._models.values()]
        for versions in models:
            version = next_unload(versions)
            if version is not None:
                self._set(version, State.UNLOADING)
                self._unloading.append(version)
                return True
        for version in self._unloading:
            if version.handles == 0 or self._is_late:
                self._unloading.remove(version)
                self._pool.submit(self._unload, version)
                return True
        version = self._next_to_load(models)
        if version is None:
            return False
        self._loading.append(version)
        version.retry_at = None
        if version.state is State.START:
            self._set(version, State.LOADING)
        self._pool.submit(self._load, version)
        return True

    def _next_to_load(self, models: list[list[Version]]) -> Version | None:
        """The version to load now; None: none. New ones come before those that failed before."""
        # One load that nobody wants any more may go on, for it cannot be stopped, but does not hold up those wanted.
        wanted = sum(version.aspired for version in self._loading)
        if self._is_stopping or wanted >= self._load_threads or len(self._loading) > self._load_threads:
            return None
        now = time.monotonic()
        candidates = [next_load(versions) for versions in models] + [next_retry(versions, now) for versions in models]
        return next((version for version in candidates if version is not None), None)

    def _load(self, version: Version) -> None:
        version.attempts += 1
        path = version.path  # another one may come while this one is loaded
        try:
            model = self._loader(version.name, version.number, path)
        except ServingError as error:
            self._failed(version, path, error)
        except Exception as error:  # noqa: BLE001  the status must say why, whatever it was
            _log.exception("Loading %s failed", path)
            self._failed(version, path, ServingError(grpc.StatusCode.INTERNAL, repr(error)))
        else:
            with self._changed:
                version.model, version.error = model, None
                self._loading.remove(version)
                self._set(version, State.AVAILABLE)

    def _failed(self, version: Version, path: str, error: ServingError) -> None:
        with self._changed:
            self._loading.remove(version)
            # Without the traceback, whose frames hold the graph that did not load.
            version.error = ServingError(error.code, error.message)
            if version.aspired and version.attempts <= self._max_retries:
                # Without a thread: a good version that comes meanwhile must not wait for a broken one.
                version.retry_at = time.monotonic() + self._retry_interval_s
                _log.warning("Attempt %d to load %s failed: %s", version.attempts, path, error)
                self._changed.notify_all()
            else:
                _log.error("Loading servable {name: %s version: %d} failed: %s", version.name, version.number, error)
                self._set(version, State.END)

    def _unload(self, version: Version) -> None:
        with self._changed:
            model, version.model = version.model, None
        try:
            if model is not None:
                model.close()
            del model
            gc.collect()  # the graph's Python objects refer to each other
            heap.give_back()
        except Exception:  # noqa: BLE001  the version must end, whatever could not be freed
            _log.exception("Unloading %s failed", version.path)
        finally:
            with self._changed:
                self._set(version, State.END)
                if version.aspired:  # wanted again since the unload began
                    again = Version(version.name, version.number, version.path)
                    self._models[version.name][version.number] = again

    def _set(self, version: Version, state: State) -> None:
        version.state = state
        _log.info("Servable {name: %s version: %d} is %s", version.name, version.number, state.name)
        self._changed.notify_all()


def _is_coming(version: Version) -> bool:
    """Whether a version is loaded now or will be: one that is wanted again while it is unloaded, too."""
    return version.state in (State.START, State.LOADING) or (version.state is State.UNLOADING and version.aspired)
