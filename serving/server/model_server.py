"""The ports around the core: gRPC over TCP and a unix socket, TLS, health, REST."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.protos.server_config import MonitoringConfig, SSLConfig
from serving.server.config_files import read_text_proto
from serving.server.core import MAX_THREADS, ServerCore
from serving.server.flags import ServerOptions
from serving.server.grpc_services import model_service, prediction_service
from serving.server.playground import PlaygroundHandler
from serving.server.rest import DEFAULT_METRICS_PATH, RestServer
from serving.server.status import ServingError, invalid_argument

_log = logging.getLogger(__name__)
_HEALTH_NAMES = (
    "",
    "ModelService",
    "PredictionService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
)


class ModelServer:
    """tensorflow_model_server's counterpart.

    Ports open only after every model is served, so that whoever waits for a port may send a request.

    Args:
        options: The flags.

    Raises:
        ServingError: The flags contradict each other, or a config file is wrong.
    """

    def __init__(self, options: ServerOptions):
        _check(options)
        self._options = options
        self._credentials = _credentials(options.ssl_config_file)
        self._metrics_path = _metrics_path(options.monitoring_config_file)
        self._channel_options = _channel_options(options.grpc_channel_arguments)
        self.core = ServerCore(options)
        self._server: Any = None
        self._rest: RestServer | None = None
        self._playground: RestServer | None = None
        self._health: Any = None

    def start(self) -> None:
        """Loads the models, then opens the ports."""
        self.core.start()
        options = self._options
        self._server = grpc.server(
            ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="grpc"),
            handlers=(prediction_service(self.core), model_service(self.core)),
            options=[
                ("grpc.max_receive_message_length", 2**31 - 1),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                *self._channel_options,
            ],
        )
        if options.enable_grpc_healthcheck_service:
            self._health = health.HealthServicer()
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
            self._set_health(health_pb2.HealthCheckResponse.SERVING)
        if options.port:
            self._listen(f"0.0.0.0:{options.port}")
        if options.grpc_socket_path:
            self._server.add_insecure_port(f"unix:{options.grpc_socket_path}")
        self._server.start()
        _log.info("Running gRPC ModelServer at 0.0.0.0:%d ...", options.port)
        self._start_rest()
        self._start_playground()

    def stop(self, grace_s: float) -> None:
        """Refuses new requests, lets those that run finish, and unloads.

        Args:
            grace_s: How long a request may still take.
        """
        self.core.draining = True
        if self._health is not None:
            self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        if self._server is not None:
            self._server.stop(grace_s).wait()
        for front in (self._rest, self._playground):
            if front is not None:
                front.stop()
        self.core.stop()

    def _listen(self, address: str) -> None:
        try:
            if self._credentials is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise ServingError(grpc.StatusCode.UNKNOWN, f"Cannot listen on {address}: {error}") from error

    def _start_rest(self) -> None:
        options = self._options
        if not options.rest_api_port:
            return
        if options.rest_api_port == options.port:
            _log.error("--rest_api_port cannot be the same as --port. HTTP/REST API is not exported.")
            return
        try:
            self._rest = RestServer(self.core, options.rest_api_port, self._metrics_path)
            _log.info("Exporting HTTP/REST API at:localhost:%d ...", options.rest_api_port)
        except OSError as error:
            _log.error("Failed to start HTTP Server at localhost:%d: %s", options.rest_api_port, error)

    def _start_playground(self) -> None:
        port = self._options.playground_port
        if not port:
            return
        try:
            self._playground = RestServer(self.core, port, None, PlaygroundHandler)
        except OSError as error:
            message = f"Cannot listen on --playground_port={port}: {error}"
            raise ServingError(grpc.StatusCode.UNKNOWN, message) from error
        _log.info("Playground at http://localhost:%d/", port)

    def _set_health(self, status: Any) -> None:
        for name in _HEALTH_NAMES:
            self._health.set(name, status)


def _check(options: ServerOptions) -> None:
    if not options.port and not options.grpc_socket_path:
        raise invalid_argument("At least one of --port or --grpc_socket_path must be set.")
    if options.use_alts_credentials and options.ssl_config_file:
        raise invalid_argument("Either use_alts_credentials must be false or ssl_config_file must be empty.")
    if options.use_alts_credentials:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, "ALTS is not supported; use --ssl_config_file")
    if not options.model_base_path and not options.model_config_file:
        raise invalid_argument("Both server_options.model_base_path and server_options.model_config_file are empty!")
    if options.playground_port and options.playground_port in (options.port, options.rest_api_port):
        raise invalid_argument("--playground_port must differ from --port and --rest_api_port.")
    if options.batching_parameters_file and not options.enable_batching:
        raise invalid_argument(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
        )
    intra, inter = options.tensorflow_intra_op_parallelism, options.tensorflow_inter_op_parallelism
    if options.tensorflow_session_parallelism and intra and inter:
        raise invalid_argument(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism and "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )


def _credentials(path: str) -> Any:
    if not path:
        return None
    config = read_text_proto(path, SSLConfig)
    if not config.server_key or not config.server_cert:
        raise invalid_argument(f"'{path}' must hold server_key and server_cert as PEM text.")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _metrics_path(path: str) -> str | None:
    if not path:
        return None
    config = read_text_proto(path, MonitoringConfig).prometheus_config
    return (config.path or DEFAULT_METRICS_PATH) if config.enable else None


def _channel_options(text: str) -> list[tuple[str, int | str]]:
    options: list[tuple[str, int | str]] = []
    for item in filter(None, text.split(",")):
        key, _, value = item.partition("=")
        is_int = value.lstrip("-").isdigit() and abs(int(value)) < 2**31
        options.append((key, int(value) if is_int else value))
    return options
