"""The server without its ports: models, their sources and the requests to them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2

from serving.server import config_files
from serving.server.batching import PER_MODEL_FILE, Batching
from serving.server.configured_models import ConfiguredModels
from serving.server.flags import ServerOptions
from serving.server.loaded_model import LoadedModel
from serving.server.metrics import Metrics
from serving.server.model_manager import ModelManager
from serving.server.predict import run_predict
from serving.server.provenance import report_rows
from serving.server.repeated_errors import RepeatedErrors
from serving.server.request_limits import RequestLimits
from serving.server.status import ServingError, invalid_argument
from serving.server.version_source import check_files
from serving.server.warmup import warm_up

_log = logging.getLogger(__name__)
MAX_THREADS = 256
# What tensorflow_model_server calls its pool, in its metrics too.
BATCH_THREADS = "model_server_batch_threads"
# Left over for refusing requests, for status and for health.
_SPARE_THREADS = 32
# The label that the metrics give to requests for models that are not configured.
UNKNOWN_MODEL = "unknown"
# A config file is read again at some time after this long, even if a new model of it has no version yet.
_CONFIG_TIMEOUT_S = 10.0


class ServerCore:
    """Holds the models and answers requests to them; gRPC and REST hand their requests on to this object.

    Args:
        options: The values of the server's flags.

    Attributes:
        options: The values of the server's flags.
        metrics: The counters and histograms that Prometheus reads.
        manager: Loads and unloads the versions of the models.
        models: The models that are configured, and their labels.
        draining: True once the server has begun to stop: new requests are then refused.

    Raises:
        ServingError: A flag or a config file cannot be used.
    """

    def __init__(self, options: ServerOptions):
        self.options = options
        self.metrics = Metrics()
        self._batching = self._read_batching()
        self._session_config = self._read_session_config()
        self._in_flight = 0
        self._admission = threading.Lock()
        self.draining = False
        self.manager = ModelManager(
            self._load,
            options.max_num_load_retries,
            options.load_retry_interval_micros / 1e6,
            options.num_load_threads,
        )
        self.models = ConfiguredModels(self.manager, options.allow_version_labels_for_unavailable_models)
        self._errors = RepeatedErrors()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Loads the models that the flags or the config file name, and returns when all of them are served."""
        options = self.options
        if options.model_config_file:
            config = config_files.read_model_config(options.model_config_file)
        else:
            config = config_files.single_model(options.model_name, options.model_base_path)
        self._every(options.file_system_poll_wait_seconds, self.models.poll, "file-system-poll")
        self.models.start(config)
        if options.model_config_file:
            self._every(options.model_config_file_poll_wait_seconds or -1, self._read_config_again, "config")

    def resolve(self, spec: model_pb2.ModelSpec) -> int | None:
        """The version that a request asks for by its number or by a label; None: the latest one."""
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        if spec.WhichOneof("version_choice") == "version":
            return int(spec.version.value)
        if spec.WhichOneof("version_choice") == "version_label":
            return self.models.labelled(spec.name, spec.version_label)
        return None

    def predict(
        self, request: predict_pb2.PredictRequest, timeout_s: float | None, entrypoint: str
    ) -> tuple[int, dict[str, np.ndarray]]:
        """Answers a request.

        Args:
            request: The model, its signature and the inputs.
            timeout_s: Seconds after which the request is given up; None: never.
            entrypoint: "GRPC" or "REST", for the metrics.

        Returns:
            (the version that answered, the outputs by alias).

        Raises:
            ServingError: With the code and the text of TensorFlow Serving.
        """
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        # A peer may send any name, of any length. Only those of our models may stay in the metrics.
        name, status = request.model_spec.name, grpc.StatusCode.INTERNAL.name
        label = name if name in self.models else UNKNOWN_MODEL
        start = time.perf_counter()
        try:
            self._admit()
            try:
                with self.manager.handle(name, self.resolve(request.model_spec)) as (version, model):
                    run_start = time.perf_counter()
                    check_method = self.options.enable_signature_method_name_check
                    limits = RequestLimits.of(self.options, entrypoint)
                    outputs = run_predict(model, request, timeout_s, check_method, limits)
                    number = version.number
                    run_us = (time.perf_counter() - run_start) * 1e6
                    self.metrics.observe("runtime_latency", run_us, label, "Predict", "TF1")
                    status = "OK"
            finally:
                self._release()
        except ServingError as error:
            status = error.code.name
            raise
        finally:
            self.metrics.add("request_count", 1, label, status)
            micros = (time.perf_counter() - start) * 1e6
            if 0 < self.options.slow_request_log_in_ms < micros / 1e3:
                # Nothing that the peer sent is logged: `label` is the name of one of our models, or UNKNOWN_MODEL.
                _log.info("Slow request: %s by %s took %.0f ms, %s", label, entrypoint, micros / 1e3, status)
        self.metrics.observe("request_latency", micros, label, "Predict", entrypoint)
        return number, outputs

    @property
    def model_names(self) -> list[str]:
        """The names of the configured models, sorted."""
        return self.models.names

    @property
    def max_in_flight(self) -> int:
        """How many requests may wait or run at a time; one more is refused, for it could only wait for a thread."""
        capacity = self._batching.capacity() if self._batching else 0
        return min(4 * self.options.grpc_max_threads + capacity, MAX_THREADS - _SPARE_THREADS)

    def stop(self) -> None:
        """Unloads every model and ends the threads, in a few seconds at most."""
        self._stop.set()
        self.models.stop()
        self.manager.stop()
        for thread in self._threads:
            thread.join(timeout=1.0)

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
        if batching is not None and self.options.enable_per_model_batching_parameters:
            file = os.path.join(path, PER_MODEL_FILE)
            batching = Batching.read(file).in_pool_of(batching) if os.path.exists(file) else None
        tags = self.options.saved_model_tags.split(",")
        check_files(path)
        report_rows(name, version, path)
        model = LoadedModel(path, tags, self._session_config, batching, self._observe_queue)
        try:
            if self.options.enable_model_warmup:
                iterations = self.options.num_request_iterations_for_warmup
                count = warm_up(path, lambda request: self._warm(model, request), iterations, self.metrics)
                _log.info("Warmed %s version %d up with %d records", name, version, count)
        except BaseException:
            model.close()
            raise
        return model

    def _warm(self, model: LoadedModel, request: predict_pb2.PredictRequest) -> None:
        if self._stop.is_set():
            raise ServingError(grpc.StatusCode.CANCELLED, "The server is stopping")
        run_predict(model, request, None)

    def _observe_queue(self, seconds: float) -> None:
        self.metrics.observe("batching_session/queuing_latency", seconds * 1e6, BATCH_THREADS)

    def _read_config_again(self) -> None:
        try:
            self.models.reload(config_files.read_model_config(self.options.model_config_file), _CONFIG_TIMEOUT_S)
        except ServingError as error:
            if self._errors.is_new(self.options.model_config_file, error):
                _log.error("Model config file %s: %s", self.options.model_config_file, error)
        else:
            self._errors.succeeded(self.options.model_config_file)

    def _every(self, seconds: float, action: Callable[[], None], name: str) -> None:
        """Repeats an action in a thread of its own until the server stops; never if `seconds` is not positive."""
        if seconds <= 0:
            return

        def repeat() -> None:
            while not self._stop.wait(seconds):
                try:
                    action()
                except Exception as error:  # noqa: BLE001  a thread that ended here would never be started again
                    if self._errors.is_new(name, error):
                        _log.exception("%s failed; it is tried again every %s s", name, seconds)
                else:
                    self._errors.succeeded(name)

        thread = threading.Thread(target=repeat, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read_batching(self) -> Batching | None:
        if not self.options.enable_batching:
            return None
        path = self.options.batching_parameters_file
        return Batching.read(path) if path else Batching()

    def _read_session_config(self) -> tf.compat.v1.ConfigProto:
        options = self.options
        config = tf.compat.v1.ConfigProto()
        if options.tensorflow_session_config_file:
            file = options.tensorflow_session_config_file
            config = config_files.read_text_proto(file, tf.compat.v1.ConfigProto)
        shared = options.tensorflow_session_parallelism
        intra = options.tensorflow_intra_op_parallelism or shared
        inter = options.tensorflow_inter_op_parallelism or shared
        # Without a flag the file's own number stays.
        if intra:
            config.intra_op_parallelism_threads = intra
        if inter:
            config.inter_op_parallelism_threads = inter
        if options.per_process_gpu_memory_fraction:
            fraction = options.per_process_gpu_memory_fraction
            config.gpu_options.per_process_gpu_memory_fraction = fraction
        return config
