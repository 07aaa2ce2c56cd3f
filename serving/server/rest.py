"""The REST API, and the Prometheus page, on one HTTP port."""

from __future__ import annotations

import concurrent.futures
import json
import logging
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from serving.server import model_info
from serving.server.core import ServerCore
from serving.server.json_tensors import fill_inputs, parse_body, render
from serving.server.predict import DEFAULT_SIGNATURE
from serving.server.status import HTTP_CODES, ServingError, invalid_argument

_log = logging.getLogger(__name__)
_VERSION = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_POST = re.compile(rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_GET = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<sub>metadata))?", re.IGNORECASE)
_MAX_BODY = 2**30
_MAX_CONNECTIONS = 256
_IDLE_TIMEOUT_S = 60
DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"


class RestServer:
    """Serves REST until it is stopped.

    Args:
        core: The models.
        port: Where to listen.
        metrics_path: Where Prometheus reads; None is nowhere.
        answering: A `RestHandler` that knows more pages.
    """

    def __init__(
        self, core: ServerCore, port: int, metrics_path: str | None, answering: type[RestHandler] | None = None
    ):
        pool = concurrent.futures.ThreadPoolExecutor(_MAX_CONNECTIONS, "rest-run")
        handler = type(
            "Handler", (answering or RestHandler,), {"core": core, "metrics_path": metrics_path, "pool": pool}
        )
        self._server = _HttpServer(("0.0.0.0", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, *args: Any):
        self._slots = threading.Semaphore(_MAX_CONNECTIONS)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("A connection from %s broke", client_address, exc_info=True)


class RestHandler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    core: ServerCore
    metrics_path: str | None
    pool: concurrent.futures.ThreadPoolExecutor
    protocol_version = "HTTP/1.1"
    server_version = "biggan_tf"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _IDLE_TIMEOUT_S

    def do_GET(self) -> None:
        if self.metrics_path is not None and self.path == self.metrics_path:
            self._send(200, self.core.metrics.render().encode(), "text/plain")
        else:
            self._answer(b"")

    def do_POST(self) -> None:
        body = self._body()
        if body is not None:
            self._answer(body)

    def do_OPTIONS(self) -> None:
        if re.match(r"https?://", self.headers.get("Origin", "")):
            self._send(200, b"", "application/json")
        else:
            self._fail(invalid_argument("Origin header is missing in CORS preflight"))

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.close_connection = True
            self._send(411, b'{"error": "Send the body with a Content-Length"}', "application/json")
            return None
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch(r"\d{1,12}", length, re.ASCII) or int(length) > _MAX_BODY:
            self.close_connection = True
            self._send(413, b'{"error": "The body is too large"}', "application/json")
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _answer(self, body: bytes) -> None:
        try:
            self._send(200, self._route(body), "application/json")
        except ServingError as error:
            self._fail(error)
        except concurrent.futures.TimeoutError:
            self._fail(ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out"))
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:  # noqa: BLE001  the peer must get an answer, and the log the reason
            _log.exception("A REST request failed in the server")
            self._fail(ServingError(grpc.StatusCode.INTERNAL, "The server failed; its log says why"))

    def _route(self, body: bytes) -> bytes:
        path = self.path.split("?")[0]
        match = (_POST if self.command == "POST" else _GET).fullmatch(path)
        if not path.lower().startswith("/v1/"):
            raise ServingError(grpc.StatusCode.NOT_FOUND, f"No such page: {path}")
        if not match:
            raise invalid_argument(f"Malformed request: {self.command} {path}")
        if not match["name"]:
            raise invalid_argument("Missing model name in request.")
        if self.command == "GET":
            return self._model_page(match)
        method = match["method"].lower()
        if method != "predict":
            spec = predict_pb2.PredictRequest().model_spec
            _fill_spec(spec, match)
            kind = "classification" if method == "classify" else "regression"
            raise model_info.predict_only(self.core, spec, kind, method)
        return self._predict(match, body)

    def _predict(self, match: Any, body: bytes) -> bytes:
        request = predict_pb2.PredictRequest()
        _fill_spec(request.model_spec, match)
        document = parse_body(body)
        signature = document.get("signature_name", "")
        if not isinstance(signature, str):
            raise invalid_argument("not formatted correctly. 'signature_name' key must be a string value.")
        request.model_spec.signature_name = signature
        spec = request.model_spec
        with self.core.manager.handle(spec.name, self.core.resolve(spec)) as (_, model):
            definition = model.signatures.get(signature or DEFAULT_SIGNATURE)
        if definition is None:
            raise invalid_argument(f'Serving signature name: "{signature}" not found in signature def')
        if not definition.inputs:
            raise invalid_argument(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
        row_format = fill_inputs(document, definition.inputs, request)
        timeout_s = self.core.options.rest_api_timeout_in_ms / 1000
        run = self.pool.submit(self.core.predict, request, timeout_s, "REST")
        _, outputs = run.result(timeout=timeout_s)
        return json.dumps(render(outputs, row_format)).encode()

    def _model_page(self, match: Any) -> bytes:
        if match["sub"]:
            request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
            _fill_spec(request.model_spec, match)
            return _metadata_json(model_info.model_metadata(self.core, request))
        request = get_model_status_pb2.GetModelStatusRequest()
        _fill_spec(request.model_spec, match)
        text = json_format.MessageToJson(
            model_info.model_status(self.core, request),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        return text.encode()

    def _fail(self, error: ServingError) -> None:
        body = json.dumps({"error": error.message}, indent=4).encode()
        self._send(HTTP_CODES[error.code], body, "application/json")

    def _send(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.core.options.rest_api_enable_cors_support:
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Methods", "POST, GET")
            self.send_header("Access-Control-Allow-Headers", "Content-Type")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _fill_spec(spec: Any, match: Any) -> None:
    spec.name = unquote(match["name"])
    if match["version"]:
        if int(match["version"]) >= 2**63:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = int(match["version"])
    if match["label"]:
        spec.version_label = unquote(match["label"])


def _metadata_json(response: Any) -> bytes:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    options: dict[str, Any] = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
    page = {
        "model_spec": json_format.MessageToDict(response.model_spec, **options),
        "metadata": {"signature_def": json_format.MessageToDict(signatures, **options)},
    }
    return json.dumps(page, indent=1).encode()
