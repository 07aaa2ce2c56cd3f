"""The REST API, and the Prometheus page."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import unquote

import grpc
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from serving.server import model_info
from serving.server.core import ServerCore
from serving.server.http_app import HttpAnswer, HttpRequest
from serving.server.json_tensors import fill_inputs, parse_body, render
from serving.server.predict import DEFAULT_SIGNATURE
from serving.server.request_limits import RequestLimits
from serving.server.status import ServingError, invalid_argument

_VERSION = r"(?:(?:/versions/(?P<version>[0-9]+))|(?:/labels/(?P<label>[^/:]+)))?"
_POST = re.compile(rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_GET = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<sub>metadata))?", re.IGNORECASE)
_RUN_THREADS = 256
# Python reads JSON without letting another thread run, so few bodies are read at a time, and none is too long.
_READ_THREADS = 2
_LARGE_BODY = 64 * 1024
_MAX_VALUES = 2**20
_MAX_VERSION_DIGITS = 19
DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"
_T = TypeVar("_T")


class RestApi:
    """Answers the REST API, and the page that Prometheus reads.

    Args:
        core: The models.
        metrics_path: The path of that page, e.g. "/monitoring/prometheus/metrics"; None: there is no such page.
        needs_token: Whether clients send a token, which CORS must then allow.

    Attributes:
        headers: Headers of every answer.
    """

    def __init__(self, core: ServerCore, metrics_path: str | None, needs_token: bool):
        self._core, self._metrics_path = core, metrics_path
        self._runs = ThreadPoolExecutor(_RUN_THREADS, "rest-run")
        self._reads = ThreadPoolExecutor(_READ_THREADS, "rest-read")
        self.headers: Sequence[tuple[str, str]] = ()
        if core.options.rest_api_enable_cors_support:
            self.headers = (
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Allow-Methods", "POST, GET"),
                ("Access-Control-Allow-Headers", "Content-Type, Authorization" if needs_token else "Content-Type"),
            )

    def is_open(self, request: HttpRequest) -> bool:
        """Whether a request needs no token: the preflight of CORS, with which a browser sends none."""
        return request.method == "OPTIONS"

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answers a request.

        Raises:
            ServingError: The request is wrong, or it failed.
        """
        if request.method == "OPTIONS":
            if not re.match(r"https?://", request.headers.get("origin", "")):
                raise invalid_argument("Origin header is missing in CORS preflight")
            return HttpAnswer(200, b"")
        if request.method == "GET" and self._metrics_path is not None and request.path == self._metrics_path:
            page = await self._in_thread(self._runs, self._core.metrics.render, self._deadline())
            return HttpAnswer(200, page.encode(), "text/plain")
        return HttpAnswer(200, await self._route(request))

    def close(self) -> None:
        """Ends the threads, once nothing runs in them."""
        self._runs.shutdown(wait=False)
        self._reads.shutdown(wait=False)

    async def _route(self, request: HttpRequest) -> bytes:
        path = request.path
        if not path.lower().startswith("/v1/"):
            raise ServingError(grpc.StatusCode.NOT_FOUND, f"No such page: {path}")
        pattern = {"POST": _POST, "GET": _GET}.get(request.method)
        match = pattern.fullmatch(path) if pattern else None
        if not match:
            raise invalid_argument(f"Malformed request: {request.method} {path}")
        if not match["name"]:
            raise invalid_argument("Missing model name in request.")
        if request.method == "GET":
            return await self._model_page(match)
        method = match["method"].lower()
        if method != "predict":
            spec = predict_pb2.PredictRequest().model_spec
            _fill_spec(spec, match)
            kind = "classification" if method == "classify" else "regression"
            raise model_info.predict_only(self._core, spec, kind, method)
        return await self._predict(match, request.body)

    async def _predict(self, match: re.Match[str], body: bytes) -> bytes:
        deadline = self._deadline()
        if len(body) <= _LARGE_BODY:
            return await self._in_thread(self._runs, lambda: self._run(*self._read(match, body), deadline), deadline)
        read = await self._in_thread(self._reads, lambda: self._read(match, body), deadline)
        return await self._in_thread(self._runs, lambda: self._run(*read, deadline), deadline)

    def _read(self, match: re.Match[str], body: bytes) -> tuple[predict_pb2.PredictRequest, bool]:
        """The request in a body, and whether it has the row format."""
        values = sum(map(body.count, (b",", b"[", b"{")))
        if values > _MAX_VALUES:
            raise invalid_argument(f"The JSON of a request may hold {_MAX_VALUES} values; use gRPC for more.")
        request = predict_pb2.PredictRequest()
        _fill_spec(request.model_spec, match)
        return request, self._fill(request, parse_body(body))

    def _fill(self, request: predict_pb2.PredictRequest, document: dict[str, Any]) -> bool:
        signature = document.get("signature_name", "")
        if not isinstance(signature, str):
            raise invalid_argument("not formatted correctly. 'signature_name' key must be a string value.")
        spec = request.model_spec
        spec.signature_name = signature
        name = signature or DEFAULT_SIGNATURE
        with self._core.manager.handle(spec.name, self._core.resolve(spec)) as (_, model):
            definition = model.signatures.get(name)
            shapes = model.shapes(name) if definition is not None else None
        if definition is None or shapes is None:
            raise invalid_argument(f'Serving signature name: "{signature}" not found in signature def')
        if not definition.inputs:
            raise invalid_argument(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
        limits = RequestLimits.of(self._core.options, "REST")
        return fill_inputs(document, definition.inputs, request, shapes, limits)

    def _run(self, request: predict_pb2.PredictRequest, row_format: bool, deadline: float) -> bytes:
        _, outputs = self._core.predict(request, max(deadline - time.monotonic(), 0.001), "REST")
        return json.dumps(render(outputs, row_format)).encode()

    async def _model_page(self, match: re.Match[str]) -> bytes:
        if match["sub"]:
            asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
            _fill_spec(asked.model_spec, match)
            return await self._in_thread(
                self._runs, lambda: _metadata_json(model_info.model_metadata(self._core, asked)), self._deadline()
            )
        request = get_model_status_pb2.GetModelStatusRequest()
        _fill_spec(request.model_spec, match)
        text = json_format.MessageToJson(
            model_info.model_status(self._core, request),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        return text.encode()

    def _deadline(self) -> float:
        return time.monotonic() + self._core.options.rest_api_timeout_in_ms / 1000

    async def _in_thread(self, pool: Executor, call: Callable[[], _T], deadline: float) -> _T:
        """What a call returns, which runs in a thread and not in the event loop."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()
        running = pool.submit(_call_into, call, loop, answer)
        late = loop.call_at(loop.time() + deadline - time.monotonic(), _give_up, answer, running)
        try:
            return await answer
        finally:
            late.cancel()


def _call_into(call: Callable[[], _T], loop: asyncio.AbstractEventLoop, answer: asyncio.Future[_T]) -> None:
    """Makes a call in this thread, and gives what it returns or raises to the event loop."""
    try:
        settle: Callable[[], None] = functools.partial(answer.set_result, call())
    except BaseException as error:  # noqa: BLE001  it is raised in the event loop
        settle = functools.partial(answer.set_exception, error)
    # The loop has ended if the server stopped before its time limit for answers was over.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: None if answer.done() else settle())


def _give_up(answer: asyncio.Future[Any], running: Future[None]) -> None:
    running.cancel()  # if it has not begun
    if not answer.done():
        answer.set_exception(ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out"))


def _fill_spec(spec: model_pb2.ModelSpec, match: re.Match[str]) -> None:
    spec.name = unquote(match["name"])
    if match["version"]:
        digits = match["version"].lstrip("0") or "0"
        if len(digits) > _MAX_VERSION_DIGITS or int(digits) >= 2**63:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = int(digits)
    if match["label"]:
        spec.version_label = unquote(match["label"])


def _metadata_json(response: get_model_metadata_pb2.GetModelMetadataResponse) -> bytes:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    options: dict[str, Any] = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
    page = {
        "model_spec": json_format.MessageToDict(response.model_spec, **options),
        "metadata": {"signature_def": json_format.MessageToDict(signatures, **options)},
    }
    return json.dumps(page, indent=1).encode()
