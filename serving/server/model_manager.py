"""Loads and unloads versions so that a model that can be served is always being served."""

from __future__ import annotations

import ctypes
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from serving.server.loaded_model import LoadedModel
from serving.server.status import ServingError, not_found
from serving.server.versions import State, Version, next_load, next_unload

_log = logging.getLogger(__name__)
_TICK_S = 0.1


class ModelManager:
    """Brings what is loaded in line with what is aspired.

    Args:
        loader: Loads (name, version, path), warm-up included.
        max_retries: Attempts after the first that fails.
        retry_interval_s: Time between attempts.
        load_threads: Loads at a time.
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
        self._busy = 0
        self._load_threads = max(load_threads, 1)
        self._pool = ThreadPoolExecutor(self._load_threads + 4, thread_name_prefix="lifecycle")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._manage, name="model-manager", daemon=True)
        self._thread.start()

    def aspire(self, name: str, paths: dict[int, str]) -> None:
        """States which versions of a model are wanted from now on."""
        with self._changed:
            known = self._models.setdefault(name, {})
            for number, path in paths.items():
                version = known.get(number)
                if version is None or (version.state is State.END and not version.aspired):
                    known[number] = Version(name, number, path)
                else:
                    version.aspired = True
            for number, version in known.items():
                if number not in paths:
                    version.aspired = False
                    if version.state is State.START:
                        version.state = State.END
            self._changed.notify_all()

    def names(self) -> list[str]:
        """Returns all models ever seen."""
        with self._changed:
            return list(self._models)

    def statuses(self, name: str) -> list[Version]:
        """Returns all versions of a model ever seen, highest first."""
        with self._changed:
            return [v for _, v in sorted(self._models.get(name, {}).items(), reverse=True)]

    def is_available(self, name: str, number: int) -> bool:
        """Says whether a version can be served now."""
        with self._changed:
            version = self._models.get(name, {}).get(number)
            return version is not None and version.state is State.AVAILABLE

    @contextmanager
    def handle(self, name: str, number: int | None) -> Iterator[tuple[Version, LoadedModel]]:
        """Holds a version: it is not unloaded until the block ends.

        Args:
            name: The model.
            number: The version; None is the highest that is available.
        """
        with self._changed:
            available = [v for v in self._models.get(name, {}).values() if v.state is State.AVAILABLE]
            if number is not None:
                available = [v for v in available if v.number == number]
            if not available:
                wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
                raise not_found(f"Servable not found for request: {wanted}")
            version = max(available, key=lambda v: v.number)
            version.handles += 1
        model = version.model
        assert_loaded(version, model)
        try:
            yield version, model  # type: ignore[misc]
        finally:
            with self._changed:
                version.handles -= 1
                if version.handles == 0 and version.state is State.UNLOADING:
                    self._changed.notify_all()

    def wait_available(self, names: list[str], kind: str) -> None:
        """Waits until every model has a version that is available.

        Args:
            names: The models.
            kind: What the message calls them.

        Raises:
            ServingError: UNKNOWN, when a model has ended in an error instead.
        """
        with self._changed:
            while not self._stop.is_set():
                waiting: list[Any] = []
                failed: list[Any] = []
                for name in names:
                    versions = list(self._models.get(name, {}).values())
                    if any(v.state is State.AVAILABLE for v in versions):
                        continue
                    errors = [v for v in versions if v.aspired and v.state is State.END and v.error]
                    going = [v for v in versions if v.state in (State.START, State.LOADING)]
                    (failed if errors and not going else waiting).extend(errors or [name])
                if failed:
                    items = "".join(
                        f"{{name: {v.name} version: {v.number}}} due to error: {v.error}}}, "
                        for v in failed
                        if isinstance(v, Version)
                    )
                    message = f"{len(failed)} {kind}(s) did not become available: {{{items}}}"
                    raise ServingError(grpc.StatusCode.UNKNOWN, message)
                if not waiting:
                    return
                self._changed.wait(1.0)

    def stop(self) -> None:
        """Unloads everything, after the requests that run."""
        for name in self.names():
            self.aspire(name, {})
        with self._changed:
            self._changed.wait_for(
                lambda: all(v.state is State.END for m in self._models.values() for v in m.values()),
                timeout=10.0,
            )
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout=5.0)
        self._pool.shutdown(wait=False)

    def _manage(self) -> None:
        while not self._stop.wait(_TICK_S):
            with self._changed:
                self._act()

    def _act(self) -> None:
        models = [list(versions.values()) for versions in self._models.values()]
        for versions in models:
            version = next_unload(versions)
            if version is not None:
                self._set(version, State.UNLOADING)
                self._pool.submit(self._unload, version)
                return
        if self._busy >= self._load_threads:
            return
        for versions in models:
            version = next_load(versions)
            if version is not None:
                self._set(version, State.LOADING)
                self._busy += 1
                self._pool.submit(self._load, version)
                return

    def _load(self, version: Version) -> None:
        try:
            model = self._load_with_retries(version)
            with self._changed:
                version.model = model
                self._set(version, State.AVAILABLE)
        except ServingError as error:
            self._fail(version, error)
        except Exception as error:  # noqa: BLE001  the status must say why, whatever it was
            _log.exception("Loading %s failed", version.path)
            self._fail(version, ServingError(grpc.StatusCode.INTERNAL, repr(error)))
        finally:
            with self._changed:
                self._busy -= 1

    def _fail(self, version: Version, error: ServingError) -> None:
        _log.error("Loading servable {name: %s version: %d} failed: %s", version.name, version.number, error)
        with self._changed:
            version.error = error
            self._set(version, State.END)

    def _load_with_retries(self, version: Version) -> LoadedModel:
        while True:
            version.attempts += 1
            try:
                return self._loader(version.name, version.number, version.path)
            except ServingError as error:
                if version.attempts > self._max_retries or not version.aspired:
                    raise
                _log.warning("Attempt %d to load %s failed: %s", version.attempts, version.path, error)
            if self._stop.wait(self._retry_interval_s):
                raise ServingError(grpc.StatusCode.CANCELLED, "The server is stopping")

    def _unload(self, version: Version) -> None:
        with self._changed:
            self._changed.wait_for(lambda: version.handles == 0)
            model, version.model = version.model, None
        if model is not None:
            model.close()
        del model
        # The graph's Python objects refer to each other, and glibc keeps what was freed until it is told.
        gc.collect()
        _return_memory()
        with self._changed:
            self._set(version, State.END)

    def _set(self, version: Version, state: State) -> None:
        version.state = state
        _log.info("Servable {name: %s version: %d} is %s", version.name, version.number, state.name)
        self._changed.notify_all()


def assert_loaded(version: Version, model: LoadedModel | None) -> None:
    """Guards the invariant that an available version has a model."""
    if model is None:
        raise ServingError(grpc.StatusCode.INTERNAL, f"version {version.number} has no model")


def _return_memory() -> None:
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        _log.debug("This C library has no malloc_trim")
