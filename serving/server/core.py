"""The server without its ports: models, their sources and the requests to them."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from serving.server import config_files
from serving.server.batching import PER_MODEL_FILE, Batching
from serving.server.flags import ServerOptions
from serving.server.loaded_model import LoadedModel
from serving.server.metrics import Metrics
from serving.server.model_manager import ModelManager
from serving.server.predict import run_predict
from serving.server.provenance import report_rows
from serving.server.status import ServingError, failed_precondition, invalid_argument
from serving.server.version_source import aspired_versions
from serving.server.warmup import warm_up

_log = logging.getLogger(__name__)
MAX_THREADS = 256
# What tensorflow_model_server calls its pool, in its metrics too.
BATCH_THREADS = "model_server_batch_threads"
# Left over for refusing requests, for status and for health.
_SPARE_THREADS = 32


class ServerCore:
    """Holds the models and answers for them; gRPC and REST are two fronts of this.

    Args:
        options: The flags.

    Raises:
        ServingError: A flag or a config file cannot be used.
    """

    def __init__(self, options: ServerOptions):
        self.options = options
        self.metrics = Metrics()
        self._batching = self._read_batching()
        self._session_config = self._read_session_config()
        self._configs: dict[str, Any] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._reload_lock = threading.Lock()
        self._in_flight = 0
        self._admission = threading.Lock()
        self.draining = False
        self.manager = ModelManager(
            self._load,
            options.max_num_load_retries,
            options.load_retry_interval_micros / 1e6,
            options.num_load_threads,
        )
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Loads what is configured, and returns when it is served."""
        options = self.options
        if options.model_config_file:
            config = config_files.read_model_config(options.model_config_file)
        else:
            config = config_files.single_model(options.model_name, options.model_base_path)
        self._every(options.file_system_poll_wait_seconds, self.poll, "file-system-poll")
        self.reload(config, kind="servable")
        if options.model_config_file:
            self._every(options.model_config_file_poll_wait_seconds or -1, self._poll_config, "config")

    def reload(self, config: Any, kind: str = "model") -> None:
        """Makes a `ModelServerConfig` the current one; waits for models that are new by name."""
        with self._reload_lock:
            platforms = dict.fromkeys(self._configs, config_files.PLATFORM)
            models = config_files.validate_models(config, platforms)
            self._check_labels(models)
            new = [name for name in models if name not in self._configs]
            removed = [name for name in self._configs if name not in models]
            self._configs = models
            self._labels = {name: dict(model.version_labels) for name, model in models.items()}
            for name in removed:
                self.manager.aspire(name, {})
            self.poll()
        self.manager.wait_available(new, kind)

    def poll(self) -> None:
        """Looks for versions once; a base path that is missing ends the round."""
        for name, model in list(self._configs.items()):
            try:
                paths = aspired_versions(model)
            except OSError as error:
                _log.error(
                    "Could not find base path %s for servable %s with error %s",
                    model.base_path,
                    name,
                    error,
                )
                return
            if name in self._configs:
                self.manager.aspire(name, paths)

    def resolve(self, spec: Any) -> int | None:
        """Returns the version that a `ModelSpec` asks for; None is the latest."""
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        if spec.WhichOneof("version_choice") == "version":
            return int(spec.version.value)
        if spec.WhichOneof("version_choice") == "version_label":
            labels = self._labels.get(spec.name, {})
            if spec.version_label not in labels:
                raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
            return labels[spec.version_label]
        return None

    def predict(self, request: Any, timeout_s: float | None, entrypoint: str) -> tuple[int, dict[str, np.ndarray]]:
        """Answers a `PredictRequest` with the version used and the outputs by alias.

        Raises:
            ServingError: With the contract's code and text.
        """
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        name, status = request.model_spec.name, "OK"
        start = time.perf_counter()
        try:
            self._admit()
            try:
                with self.manager.handle(name, self.resolve(request.model_spec)) as (version, model):
                    run_start = time.perf_counter()
                    outputs = run_predict(model, request, timeout_s, self.options.enable_signature_method_name_check)
                    number = version.number
                    run_us = (time.perf_counter() - run_start) * 1e6
                    self.metrics.observe("runtime_latency", run_us, name, "Predict", "TF1")
            finally:
                self._release()
        except ServingError as error:
            status = error.code.name
            raise
        finally:
            self.metrics.add("request_count", 1, name, status)
        micros = (time.perf_counter() - start) * 1e6
        self.metrics.observe("request_latency", micros, name, "Predict", entrypoint)
        return number, outputs

    @property
    def model_names(self) -> list[str]:
        """The configured models."""
        return sorted(self._configs)

    @property
    def max_in_flight(self) -> int:
        """Requests beyond this number are refused at once: they could only wait for a thread."""
        capacity = self._batching.capacity() if self._batching else 0
        return min(4 * self.options.grpc_max_threads + capacity, MAX_THREADS - _SPARE_THREADS)

    def stop(self) -> None:
        """Unloads every model and ends the threads."""
        self._stop.set()
        self.manager.stop()
        for thread in self._threads:
            thread.join(timeout=5.0)

    def _admit(self) -> None:
        with self._admission:
            if self.draining:
                raise ServingError(grpc.StatusCode.UNAVAILABLE, "The server is shutting down")
            if self._in_flight >= self.max_in_flight:
                raise ServingError(
                    grpc.StatusCode.UNAVAILABLE,
                    f"The server is full: {self._in_flight} requests are waiting or running. Retry later.",
                )
            self._in_flight += 1
        self.metrics.add("requests_in_flight", 1)

    def _release(self) -> None:
        with self._admission:
            self._in_flight -= 1
        self.metrics.add("requests_in_flight", -1)

    def _load(self, name: str, version: int, path: str) -> LoadedModel:
        batching = self._batching
        if self.options.enable_per_model_batching_parameters:
            file = os.path.join(path, PER_MODEL_FILE)
            batching = Batching.read(file) if os.path.exists(file) else None
        tags = self.options.saved_model_tags.split(",")
        report_rows(name, version, path)
        model = LoadedModel(path, tags, self._session_config, batching, self._observe_queue)
        try:
            if self.options.enable_model_warmup:
                iterations = self.options.num_request_iterations_for_warmup
                count = warm_up(path, lambda request: run_predict(model, request, None), iterations, self.metrics)
                _log.info("Warmed %s version %d up with %d records", name, version, count)
        except ServingError:
            model.close()
            raise
        return model

    def _observe_queue(self, seconds: float) -> None:
        self.metrics.observe("batching_session/queuing_latency", seconds * 1e6, BATCH_THREADS)

    def _check_labels(self, models: dict[str, Any]) -> None:
        for name, model in models.items():
            for label, version in model.version_labels.items():
                if self.manager.is_available(name, version):
                    continue
                known = label in self._labels.get(name, {})
                moved = known and self._labels[name][label] != version
                if self.options.allow_version_labels_for_unavailable_models and not moved:
                    continue
                raise failed_precondition(
                    f"Request to assign label to version {version} of model {name}, which is not "
                    "currently available for inference"
                )

    def _poll_config(self) -> None:
        try:
            self.reload(config_files.read_model_config(self.options.model_config_file))
        except ServingError as error:
            _log.error("The model config file was not taken over: %s", error)

    def _every(self, seconds: float, action: Any, name: str) -> None:
        if seconds <= 0:
            return

        def repeat() -> None:
            while not self._stop.wait(seconds):
                action()

        thread = threading.Thread(target=repeat, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read_batching(self) -> Batching | None:
        if not self.options.enable_batching:
            return None
        path = self.options.batching_parameters_file
        return Batching.read(path) if path else Batching()

    def _read_session_config(self) -> Any:
        options = self.options
        config = tf.compat.v1.ConfigProto()
        if options.tensorflow_session_config_file:
            file = options.tensorflow_session_config_file
            config = config_files.read_text_proto(file, tf.compat.v1.ConfigProto)
        shared = options.tensorflow_session_parallelism
        config.intra_op_parallelism_threads = options.tensorflow_intra_op_parallelism or shared
        config.inter_op_parallelism_threads = options.tensorflow_inter_op_parallelism or shared
        if options.per_process_gpu_memory_fraction:
            fraction = options.per_process_gpu_memory_fraction
            config.gpu_options.per_process_gpu_memory_fraction = fraction
        return config
