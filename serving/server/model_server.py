"""The ports of the server: gRPC over TCP and over a unix socket, with TLS and health checks, REST and the page."""

from __future__ import annotations

import contextlib
import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.protos.server_config import MonitoringConfig
from serving.server.access import Access
from serving.server.config_files import read_text_proto
from serving.server.core import MAX_THREADS, ServerCore
from serving.server.flag_checks import check_flags
from serving.server.flags import ServerOptions
from serving.server.grpc_services import model_service, prediction_service
from serving.server.http_app import HttpApp
from serving.server.http_protocol import HttpLimits
from serving.server.http_server import HttpServer
from serving.server.listening import bind, cannot_listen, check_free, shown
from serving.server.playground import Playground
from serving.server.rest import DEFAULT_METRICS_PATH, RestApi
from serving.server.status import ServingError
from serving.server.tls import Tls

_log = logging.getLogger(__name__)
_HEALTH_NAMES = (
    "",
    "ModelService",
    "PredictionService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
)


class ModelServer:
    """A server of models, as tensorflow_model_server is one.

    Its ports open only after every model is served, so that a client that waits for a port may send a request.

    Args:
        options: The values of the server's flags.

    Attributes:
        core: The models, and what answers requests to them.

    Raises:
        ServingError: The flags contradict each other, or a config file is wrong.
    """

    def __init__(self, options: ServerOptions):
        check_flags(options)
        self._options = options
        self._tls = Tls(options.ssl_config_file) if options.ssl_config_file else None
        self._access = Access(options)
        self._limits = HttpLimits(max_body_bytes=options.rest_api_max_body_bytes)
        self._metrics_path = _metrics_path(options.monitoring_config_file)
        self._channel_options = _channel_options(options.grpc_channel_arguments)
        self.core = ServerCore(options)
        self._server: grpc.Server | None = None
        self._http: list[HttpServer] = []
        self._sites: list[RestApi] = []
        self._health: health.HealthServicer | None = None

    def start(self) -> None:
        """Loads the models, then opens the ports.

        Raises:
            ServingError: A model did not load, or a port is taken.
        """
        options = self._options
        with contextlib.ExitStack() as bound:
            rest = self._bind(bound, "rest_api_port", options.rest_api_host)
            playground = self._bind(bound, "playground_port", options.playground_host)
            if options.port:
                check_free(options.host, options.port, "port")
            _log.info("%s", self._addresses())
            self.core.start()
            self._start_grpc()
            if rest is not None:
                self._listen_http("rest_api_port", options.rest_api_host, rest)
                _log.info("Exporting HTTP/REST API at:%s ...", shown(options.rest_api_host, options.rest_api_port))
            if playground is not None:
                self._listen_http("playground_port", options.playground_host, playground)
                scheme, host = "https" if self._tls else "http", options.playground_host
                host = "localhost" if host in ("0.0.0.0", "::", "127.0.0.1") else host
                _log.info("Playground at %s://%s/", scheme, shown(host, options.playground_port))
            bound.pop_all()

    def stop(self, grace_s: float) -> None:
        """Refuses new connections and requests, answers those that have come, and unloads the models.

        Args:
            grace_s: Seconds that a request which is running may still take, e.g. 30.
        """
        if self._health is not None:
            _set_health(self._health, health_pb2.HealthCheckResponse.NOT_SERVING)
        drained = [server.drain(grace_s) for server in self._http]
        if self._server is not None:
            self._server.stop(grace_s).wait()
        for future in drained:
            future.result()
        self.core.draining = True
        for server in self._http:
            server.close()
        for site in self._sites:
            site.close()
        self.core.stop()

    def _addresses(self) -> str:
        """Where the server will listen, and who may ask it."""
        options = self._options
        places = [f"gRPC on {shown(options.host, options.port)}"] if options.port else []
        places += [f"gRPC on unix:{options.grpc_socket_path}"] if options.grpc_socket_path else []
        places += [f"REST on {shown(options.rest_api_host, options.rest_api_port)}"] if options.rest_api_port else []
        page = shown(options.playground_host, options.playground_port)
        places += [f"the playground on {page}"] if options.playground_port else []
        return (
            f"Once the models are loaded: {', '.join(places)}. TLS: {'on' if self._tls else 'off'}. "
            f"Tokens: {'needed' if self._access.needs_token else 'not needed, so whoever reaches a port may ask'}."
        )

    def _bind(self, bound: contextlib.ExitStack, flag: str, host: str) -> socket.socket | None:
        port = getattr(self._options, flag)
        return bound.enter_context(contextlib.closing(bind(host, port, flag))) if port else None

    def _start_grpc(self) -> None:
        options = self._options
        server = self._server = grpc.server(
            ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="grpc"),
            handlers=(prediction_service(self.core), model_service(self.core)),
            interceptors=self._access.interceptors(),
            options=[
                ("grpc.max_receive_message_length", options.grpc_max_request_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                *self._channel_options,
            ],
        )
        if options.enable_grpc_healthcheck_service:
            self._health = health.HealthServicer()
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            _set_health(self._health, health_pb2.HealthCheckResponse.SERVING)
        if options.port:
            self._listen(server, shown(options.host, options.port))
        if options.grpc_socket_path:
            server.add_insecure_port(f"unix:{options.grpc_socket_path}")
        server.start()
        _log.info("Running gRPC ModelServer at %s ...", shown(options.host, options.port))

    def _listen(self, server: grpc.Server, address: str) -> None:
        try:
            if self._tls is None:
                server.add_insecure_port(address)
            else:
                server.add_secure_port(address, self._tls.grpc)
        except RuntimeError as error:
            raise ServingError(grpc.StatusCode.UNKNOWN, f"Cannot listen on {address}: {error}") from error

    def _listen_http(self, flag: str, host: str, bound: socket.socket) -> None:
        is_page = flag == "playground_port"
        rest = RestApi(self.core, None if is_page else self._metrics_path, self._access.needs_token)
        site = Playground(self.core, rest) if is_page else rest
        context = self._tls.context if self._tls else None
        try:
            self._http.append(HttpServer(HttpApp(site, self._access, self._limits), bound, context, self._limits))
        except OSError as error:
            raise cannot_listen(host, getattr(self._options, flag), flag, error) from error
        self._sites.append(rest)


def _set_health(servicer: health.HealthServicer, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
    for name in _HEALTH_NAMES:
        servicer.set(name, status)


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
