"""The ASGI application of an HTTP port: checks a request, reads its body within the limits, and sends the answer."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import email.utils
import functools
import json
import logging
import math
import time
from collections.abc import Sequence
from typing import Protocol

import grpc
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

from serving.server.access import Access, TooManyRequestsError
from serving.server.http_protocol import HttpLimits
from serving.server.peers import peer_of_host
from serving.server.status import HTTP_CODES, ServingError

_log = logging.getLogger(__name__)
# Smaller bodies cannot fill the memory: there are not enough connections.
_SMALL_BODY = 64 * 1024
# How much of a body that was refused is still read, so that its sender gets to read the answer.
_LINGER_BYTES, _LINGER_S = 64 * 2**20, 2.0
JSON = "application/json"


@dataclasses.dataclass
class HttpRequest:
    """A request.

    Attributes:
        method: Such as "GET"; a HEAD request is given as GET.
        path: The path as it was sent, with its escapes and without its query.
        headers: The values by their names in lower case.
        body: The body.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclasses.dataclass(frozen=True)
class HttpAnswer:
    """An answer.

    Attributes:
        status: Such as 200.
        body: The body.
        kind: Its media type.
        headers: Names and values of headers besides those of every answer.
    """

    status: int
    body: bytes
    kind: str = JSON
    headers: Sequence[tuple[str, str]] = ()


class HttpSite(Protocol):
    """What a port answers.

    Attributes:
        headers: Headers of every answer.
    """

    headers: Sequence[tuple[str, str]]

    def is_open(self, request: HttpRequest) -> bool:
        """Whether a request, whose body has not been read, is answered without a token and without counting it."""
        ...

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answers a request; a `ServingError` becomes its status and a body of JSON."""
        ...


class HttpError(Exception):
    """An answer that has no code in gRPC.

    Args:
        status: Such as 413.
        message: What the peer reads.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


class HttpApp:
    """The application.

    Args:
        site: What answers.
        access: Who may ask.
        limits: What a peer may take of the server.
    """

    def __init__(self, site: HttpSite, access: Access, limits: HttpLimits):
        self._site, self._access, self._limits = site, access, limits
        self._headers = [(name.lower().encode(), value.encode()) for name, value in site.headers]
        self._held_bytes = 0

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        request = _request(scope)
        held, unread = _Held(), True
        try:
            self._check(scope, request)
            request.body = await self._read(request, receive, held)
            unread = False
            answer = await self._answer(request)
        except ConnectionError:
            return
        except (HttpError, ServingError) as error:
            answer = _refusal(error)
        finally:
            self._held_bytes -= held.bytes
        await self._send(answer, request, receive if unread and _has_body(request) else None, send)

    def _check(self, scope: HTTPScope, request: HttpRequest) -> None:
        if self._site.is_open(request):
            return
        self._access.check_rate(lambda: peer_of_host(scope["client"][0] if scope["client"] else ""))
        self._access.check_token(request.headers.get("authorization", ""))

    async def _read(self, request: HttpRequest, receive: ASGIReceiveCallable, held: _Held) -> bytes:
        self._check_size(int(request.headers.get("content-length", "0")))
        parts: list[bytes] = []
        size = 0
        while True:
            event = await receive()
            if event["type"] != "http.request":
                raise ConnectionError("The peer has gone.")
            size += len(event["body"])
            self._check_size(size)
            if size > _SMALL_BODY:
                self._held_bytes += size - held.bytes
                held.bytes = size
                if self._held_bytes > self._limits.max_held_bytes:
                    raise ServingError(
                        grpc.StatusCode.UNAVAILABLE, "The server holds too many large bodies. Retry later."
                    )
            parts.append(event["body"])
            if not event["more_body"]:
                return b"".join(parts)

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_body_bytes:
            raise HttpError(413, f"The body must have at most {self._limits.max_body_bytes} bytes.")

    async def _answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            return await self._site.answer(request)
        except ServingError:
            raise
        except Exception:  # noqa: BLE001  the peer must get an answer, and the log the reason
            _log.exception("An HTTP request failed in the server")
            raise ServingError(grpc.StatusCode.INTERNAL, "The server failed; its log says why") from None

    async def _send(
        self, answer: HttpAnswer, request: HttpRequest, rest: ASGIReceiveCallable | None, send: ASGISendCallable
    ) -> None:
        """Sends an answer; if it comes before the body (`rest`) was read, the connection is closed behind it."""
        headers = [
            (b"date", _date(int(time.time()))),
            (b"content-type", answer.kind.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            *self._headers,
            *((name.lower().encode(), value.encode()) for name, value in answer.headers),
        ]
        if rest is not None:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if rest is not None and "expect" not in request.headers:
            await send({"type": "http.response.body", "body": answer.body, "more_body": True})
            await _discard(rest)
            answer = dataclasses.replace(answer, body=b"")
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})


@dataclasses.dataclass
class _Held:
    """How many bytes of one large body are held."""

    bytes: int = 0


async def _discard(receive: ASGIReceiveCallable) -> None:
    """Reads what a peer goes on sending; to close at once would destroy the answer before the peer reads it."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while size < _LINGER_BYTES:
                event = await receive()
                if event["type"] != "http.request" or not event["more_body"]:
                    return
                size += len(event["body"])


def _request(scope: HTTPScope) -> HttpRequest:
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    path = scope["raw_path"].decode("ascii")
    return HttpRequest(
        method, path, {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    )


def _has_body(request: HttpRequest) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0").strip("0") != ""


def _refusal(error: HttpError | ServingError) -> HttpAnswer:
    status = error.status if isinstance(error, HttpError) else HTTP_CODES[error.code]
    headers = []
    if isinstance(error, TooManyRequestsError):
        headers.append(("Retry-After", str(max(math.ceil(error.wait_s), 1))))
    if status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    return HttpAnswer(status, json.dumps({"error": error.message}, indent=4).encode(), headers=headers)


@functools.lru_cache(maxsize=1)
def _date(seconds: int) -> bytes:
    return email.utils.formatdate(seconds, usegmt=True).encode()
