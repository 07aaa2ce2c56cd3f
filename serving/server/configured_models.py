"""Which models are served, from which folders and under which labels, and how another config takes their place."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc
from tensorflow_serving.config import model_server_config_pb2

from serving.server import config_files
from serving.server.model_manager import ModelManager
from serving.server.repeated_errors import RepeatedErrors
from serving.server.status import ServingError, failed_precondition, invalid_argument
from serving.server.version_source import aspired_versions

_log = logging.getLogger(__name__)
_MAX_WAITING = 4
_MAX_TIMEOUT_S = 86_400.0


@dataclass(eq=False)
class _Wait:
    """A call that waits until models are served.

    Attributes:
        names: The models.
        is_superseded: Whether a later config lacks one of them, so that the wait would never end.
    """

    names: frozenset[str]
    is_superseded: bool = False


class ConfiguredModels:
    """The current config of the models, which `reload` replaces, and the look for their versions on disk.

    Args:
        manager: Is told which versions are to be served.
        allow_labels_before_loading: Whether a new label may name a version that is not served yet.
    """

    def __init__(self, manager: ModelManager, allow_labels_before_loading: bool):
        self._manager = manager
        self._allow_labels_before_loading = allow_labels_before_loading
        self._configs: dict[str, model_server_config_pb2.ModelConfig] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._waits: list[_Wait] = []
        self._errors = RepeatedErrors()
        self._stopped = False
        # One reload at a time. Requests and the poll never wait for this lock, for a folder may be slow to list.
        self._reloading = threading.Lock()
        # Held only to compare and to set, so that a model is never aspired by a config that is no longer the current.
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The names of the configured models, sorted."""
        return sorted(self._configs)

    def __contains__(self, name: str) -> bool:
        return name in self._configs

    def labelled(self, name: str, label: str) -> int:
        """The version of a model that a label stands for.

        Raises:
            ServingError: The model has no such label.
        """
        labels = self._labels.get(name, {})
        if label not in labels:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return labels[label]

    def start(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        """Takes the first config, and returns when all of its models are served.

        A base path that does not exist is waited for, as a volume may be mounted later.

        Raises:
            ServingError: The config contradicts itself, or a model did not load.
        """
        new, wait = self._replace(config, is_start=True)
        self._wait(new, wait, "servable", None, lambda: True)

    def reload(
        self,
        config: model_server_config_pb2.ModelServerConfig,
        timeout_s: float | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Makes another config the current one, and waits until the models whose names are new are served.

        Args:
            config: The models with their base paths, version policies and labels. Models that it lacks are unloaded.
            timeout_s: Seconds after which the wait is given up; None: never. The config stays the current one.
            is_wanted: Tells whether the caller still waits for the answer.

        Raises:
            ServingError: The config is empty, contradicts itself or what is served, or names a folder that cannot be
                listed; or a model did not load in time.
        """
        # A lock cannot be waited for as long as a client may claim to wait.
        timeout_s = None if timeout_s is None else min(max(timeout_s, 0.0), _MAX_TIMEOUT_S)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        if not self._reloading.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise ServingError(
                grpc.StatusCode.DEADLINE_EXCEEDED, "Another config is being taken over; nothing was done"
            )
        try:
            new, wait = self._replace(config, is_start=False)
        finally:
            self._reloading.release()
        self._wait(new, wait, "model", deadline, is_wanted)

    def poll(self) -> None:
        """Looks once for new and for deleted versions on disk; a base path that cannot be read changes nothing."""
        for name, model in list(self._configs.items()):
            try:
                paths, missing = aspired_versions(model)
            except Exception as error:  # noqa: BLE001  one model's folder must not keep the others from being polled
                if self._errors.is_new(name, error):
                    _log.error(
                        "Could not find base path %s for servable %s with error %s", model.base_path, name, error
                    )
                continue
            if not missing:
                self._errors.succeeded(name)
            elif self._errors.is_new(name, missing):
                _log.warning("%s", missing)
            with self._lock:
                if self._configs.get(name) is model and not self._stopped:
                    self._manager.aspire(name, paths)

    def stop(self) -> None:
        """Ends the looking for versions: what is unloaded from now on stays unloaded."""
        with self._lock:
            self._stopped = True

    def _replace(
        self, config: model_server_config_pb2.ModelServerConfig, is_start: bool
    ) -> tuple[list[str], _Wait | None]:
        models = config_files.validate_models(config, self._configs, is_start)
        self._check_labels(models)
        new = [name for name in models if name not in self._configs]
        wait: _Wait | None = None
        with self._lock:
            removed = [name for name in self._configs if name not in models]
            for other in self._waits:
                other.is_superseded = not other.names <= models.keys()
            self._waits = [other for other in self._waits if not other.is_superseded]
            if new and len(self._waits) < _MAX_WAITING:
                wait = _Wait(frozenset(new))
                self._waits.append(wait)
            self._configs = models
            self._labels = {name: dict(model.version_labels) for name, model in models.items()}
            for name in removed:
                self._errors.succeeded(name)
                self._manager.aspire(name, {})
        self.poll()
        return new, wait

    def _wait(
        self,
        new: list[str],
        wait: _Wait | None,
        kind: str,
        deadline: float | None,
        is_wanted: Callable[[], bool],
    ) -> None:
        if not new:
            return
        if wait is None:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"The config was taken over, but {_MAX_WAITING} other calls wait for models already, so this one does "
                "not. GetModelStatus says when a model is served.",
            )
        try:
            self._manager.wait_available(new, kind, deadline, lambda: is_wanted() and not wait.is_superseded)
        finally:
            with self._lock:
                self._waits = [other for other in self._waits if other is not wait]

    def _check_labels(self, models: Mapping[str, model_server_config_pb2.ModelConfig]) -> None:
        for name, model in models.items():
            for label, version in model.version_labels.items():
                if self._manager.is_available(name, version):
                    continue
                was_given = label in self._labels.get(name, {})
                moved = was_given and self._labels[name][label] != version
                if self._allow_labels_before_loading and not moved:
                    continue
                raise failed_precondition(
                    f"Request to assign label to version {version} of model {name}, which is not "
                    "currently available for inference"
                )
