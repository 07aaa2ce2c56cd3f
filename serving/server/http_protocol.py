"""HTTP/1.1 on one connection: uvicorn's protocol over httptools, with checks that uvicorn leaves to a proxy.

A request is a head, which is its first line and its headers, and perhaps a body. The head says how long the body is.
Where a proxy and the server behind it disagree about that, the end of one client's body is read as another client's
request, which is called request smuggling. So `head_problem` looks at each head first and refuses whatever could be
understood in two ways. What it lets through goes to llhttp, the parser of httptools and of Node.js, which refuses more.

Requests that arrive together on one connection are handed on one at a time: the bytes behind a request are kept until
that request is answered, and are then read as the next head.

A connection also measures for how long its peer has let the server wait, so that `serving.server.http_server` can end
the connections that are too slow.

httptools is written in C. uvicorn's other parser, h11, is written in Python; with it, a GET took 1.9 times as long as
with Python's http.server.

uvicorn documents that `Config` takes a class like `HttpConnection`. It does not document the methods of
`HttpToolsProtocol` and its attributes `cycle`, `flow` and `parser`, which are used here as they are in uvicorn 0.54. If
they change, tests/serving/server/http_smuggling_test.py and http_server_test.py fail.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import http
import json
import re
import time
from collections.abc import Callable

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEAD_BYTES = 16 * 1024
_MAX_HEADERS = 100
# Each chunk costs the event loop some microseconds, whatever it holds.
_MAX_CHUNKS = 8192
# A body in chunks has a size in front of each chunk, and may have extensions there and headers at its end. They may
# take so many bytes together.
_MAX_OVERHEAD = 512 * 1024
# Bytes of further requests that are kept while one is answered; then the peer has to wait.
_MAX_PENDING = 64 * 1024
# A number counts the bytes of a body that are still to come; these stand for no body, and for one whose end its chunks
# tell.
_NO_BODY, _CHUNKED = 0, -1
# Of these headers a request may have one each: of two, a proxy could believe the first and the server the second.
_ONCE = (b"authorization", b"content-length", b"host", b"transfer-encoding")
_BAD_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_FOLDED = re.compile(rb"\r\n[ \t]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UPGRADE = re.compile(rb"(?<=\n)(?:upgrade|http2-settings):[^\r]*\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)", re.IGNORECASE)
_IN_CHUNKS = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_REQUEST_LINE = re.compile(rb"[A-Z]{1,16} [\x21-\x7e]+ HTTP/1\.[01]")


@dataclasses.dataclass(frozen=True)
class HttpLimits:
    """What one HTTP port takes from its peers.

    Attributes:
        max_body_bytes: Bytes in the largest body. The default holds 512 rows of 1,000 class weights as JSON.
        max_held_bytes: Bytes of large bodies that are held at a time, and as many bytes of answers that peers have not
            read yet.
        max_connections: Number of connections. One more ends the one that has kept the server waiting longest.
        head_s: Seconds in which a TLS handshake, and then the head of a request must arrive.
        body_s: Seconds in which a body must arrive, besides those that `bytes_per_s` gives it.
        idle_s: Seconds that a connection may stay open between two requests.
        answer_s: Seconds in which an answer must be read, besides those that `bytes_per_s` gives it.
        bytes_per_s: A peer's slowest speed for bodies and answers.
    """

    max_body_bytes: int = 16 * 2**20
    max_held_bytes: int = 128 * 2**20
    max_connections: int = 512
    head_s: float = 10.0
    body_s: float = 10.0
    idle_s: float = 60.0
    answer_s: float = 30.0
    bytes_per_s: float = 64 * 2**10


class Awaited(enum.Enum):
    """What a connection waits for."""

    HANDSHAKE = "the handshake of TLS"
    IDLE = "the next request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    ANSWER = "the server's own answer"


class HttpConnection(HttpToolsProtocol):
    """One connection.

    Args:
        config: uvicorn's settings, with the application that answers.
        state: What the connections of a port share.
        limits: What the peer may take of the server.
        peer: Who is at the other end, see `serving.server.peers`.
        on_lost: Is called with this connection once it is closed.

    Attributes:
        peer: Who is at the other end, see `serving.server.peers`.
        phase: What the connection waits for.
        since: When it began to wait for that, on the clock of `time.monotonic`.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        limits: HttpLimits,
        peer: str,
        on_lost: Callable[[HttpConnection], None],
    ):
        super().__init__(config, state, {})
        self.peer = peer
        self.phase, self.since = Awaited.HANDSHAKE, time.monotonic()
        self._limits, self._on_lost = limits, on_lost
        self._pending = bytearray()  # what has come and was not handed to the parser
        self._framing = _NO_BODY
        self._received = self._body_bytes = self._chunks = 0
        self._has_ended = self._is_last = False
        self._unread_since, self._unread_bytes = 0.0, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._writes = _JoinedWrites(transport)
        self.transport = self._writes  # type: ignore[assignment]
        self._enter(Awaited.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        if self._is_last:
            return
        self._received += len(data)
        self._pending += data
        self._read()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Whether to keep the connection although its peer has said that it sends nothing more.

        A peer such as netcat says so right after its request, and still reads the answer.
        """
        self._has_ended = True
        return self.phase is Awaited.ANSWER and self.scheme == "http"

    def on_header(self, name: bytes, value: bytes) -> None:
        # Headers may follow the last chunk of a body. They must not change a request that was already handed on.
        if self.phase is not Awaited.BODY:
            super().on_header(name, value)

    def on_chunk_header(self) -> None:
        """Counts a chunk; httptools calls it."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_begin(self) -> None:
        if self.phase is Awaited.BODY:
            raise httptools.HttpParserError("A request after a body in chunks must wait for the answer.")
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._framing = _NO_BODY
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._writes.flush()
        super().on_response_complete()
        if not self.transport.is_closing():
            self._read()
            if self._has_ended and self.phase is not Awaited.ANSWER:
                self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answers a request that the parser refused; uvicorn calls it."""
        self.refuse(400, "Malformed request: its head or its chunks are not those of HTTP/1.1.")

    def refuse(self, status: int, message: str) -> None:
        """Answers with an error and closes the connection.

        If an earlier request is still being answered, its answer is sent instead, and then the connection is closed.

        Args:
            status: The HTTP status of the error.
            message: What is wrong with the request.
        """
        pending = self._is_answering()
        if pending and not self.cycle.more_body:
            self._is_last, self.cycle.keep_alive = True, False  # the fault is in what comes after this request
            return
        if not pending or (self.cycle.more_body and not self.cycle.response_started):
            body = json.dumps({"error": message}, indent=4).encode()
            head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
            self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        if pending:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def is_unused(self) -> bool:
        """Whether nothing has come of the next request."""
        return self.phase is Awaited.IDLE or (self.phase is Awaited.HEAD and not self._pending)

    def waits_for_peer(self) -> bool:
        """Whether the peer, and not this server, is what the connection waits for."""
        return self.phase is not Awaited.ANSWER or self.unread_bytes() > 0

    def unread_bytes(self) -> int:
        """Bytes of answers that the peer has not read."""
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def end_if_late(self, now: float) -> None:
        """Ends the connection if the peer has let a time limit pass.

        Args:
            now: The time on the clock of `time.monotonic`.
        """
        if self.transport is None:
            return  # asyncio limits the handshake
        limits, unread = self._limits, self.unread_bytes()
        if unread == 0:
            self._unread_bytes = 0
        elif self._unread_bytes == 0:
            self._unread_since, self._unread_bytes = now, unread
        elif now - self._unread_since > limits.answer_s + self._unread_bytes / limits.bytes_per_s:
            self.transport.abort()
        if self.transport.is_closing():
            return
        waited = now - self.since
        if self.phase is Awaited.HEAD and waited > limits.head_s:
            self.refuse(408, f"The head of the request did not arrive in {limits.head_s:g} seconds.")
        elif self.phase is Awaited.BODY and waited > limits.body_s + self._received / limits.bytes_per_s:
            self.refuse(408, f"The body arrived too slowly: {self._received} bytes in {waited:.0f} seconds.")
        elif self.phase is Awaited.IDLE and waited > limits.idle_s:
            self.transport.close()

    def _read(self) -> None:
        """Hands the bytes of the present request to the parser, and notes what the connection waits for then."""
        if self.phase is Awaited.BODY:
            self._read_body()
        elif not self._is_answering() and self._pending:
            self._read_head()
        if self.transport.is_closing():
            return
        if self._is_answering() and self._framing == _NO_BODY:
            phase = Awaited.ANSWER
            if len(self._pending) > _MAX_PENDING:
                self.flow.pause_reading()
        elif self._framing != _NO_BODY:
            phase = Awaited.BODY
        else:
            phase = Awaited.HEAD if self._pending or self.cycle is None else Awaited.IDLE
        if phase is not self.phase:
            self._enter(phase)

    def _read_head(self) -> None:
        data = bytes(self._pending)
        problem = head_problem(data)
        if problem:
            self.refuse(400, f"Malformed request: {problem}")
            return
        end = data.find(b"\r\n\r\n") + 4
        if max(end, len(data) if end < 4 else 0) > MAX_HEAD_BYTES:
            self.refuse(431, f"The head of a request may have {MAX_HEAD_BYTES} bytes.")
            return
        if end < 4:
            return
        del self._pending[:end]
        head = data[:end]
        self._framing = _framing(head)
        self._body_bytes = self._chunks = 0
        # Browsers and Java's client offer HTTP/2 or WebSocket so; a server may go on with HTTP/1.1.
        super().data_received(_UPGRADE.sub(b"", head))
        if self._framing != _NO_BODY and not self.transport.is_closing():
            self._enter(Awaited.BODY)
            self._received = len(self._pending)
            self._read_body()

    def _read_body(self) -> None:
        count = len(self._pending) if self._framing == _CHUNKED else min(self._framing, len(self._pending))
        if not count:
            return
        part = bytes(self._pending[:count])
        del self._pending[:count]
        if self._framing != _CHUNKED:
            self._framing -= count
        super().data_received(part)
        if self._chunks > _MAX_CHUNKS or (self._framing == _CHUNKED and self._overhead() > _MAX_OVERHEAD):
            self.refuse(413, f"A body may come in {_MAX_CHUNKS} chunks; send larger chunks or a Content-Length.")

    def _overhead(self) -> int:
        return self._received - self._body_bytes

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _enter(self, phase: Awaited) -> None:
        self.phase, self.since, self._received = phase, time.monotonic(), 0


class _JoinedWrites:
    """A transport that sends the head of an answer and its body in one packet.

    uvicorn writes the head first and the body after it. Sent one by one, the body could wait until the peer has
    acknowledged the head.

    Args:
        transport: What sends.
    """

    def __init__(self, transport: asyncio.Transport):
        self._transport, self._head = transport, b""
        self.is_closing, self.get_extra_info = transport.is_closing, transport.get_extra_info
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading
        self.get_write_buffer_size, self.abort = transport.get_write_buffer_size, transport.abort

    def write(self, data: bytes) -> None:
        if not self._head and data.endswith(b"\r\n\r\n") and not data.startswith(b"HTTP/1.1 100 "):
            self._head = data
            return
        self._transport.write(self._head + data)
        self._head = b""

    def flush(self) -> None:
        """Sends a head that no body follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()


def head_problem(data: bytes) -> str:
    """What is wrong with the head of a request, as a sentence; "": nothing in what has come of it so far.

    Args:
        data: All that has come since the last request; the head may be incomplete, or be followed by its body.
    """
    end = data.find(b"\r\n\r\n")
    head = data if end < 0 else data[: end + 2]
    if _BAD_LINE_END.search(head):
        return "the lines of a head must end in CR LF."
    if _FOLDED.search(head):
        return "a header must stand on one line."
    if _CONTROL.search(head):
        return "a head must have no control characters."
    if end < 0:
        return ""
    request_line, *lines = head[:-2].split(b"\r\n")
    if not _REQUEST_LINE.fullmatch(request_line) or request_line.startswith(b"CONNECT "):
        return "the first line must be a method, a path and HTTP/1.1 or HTTP/1.0, with one space between."
    return _header_problem(request_line, lines)


def _header_problem(request_line: bytes, lines: list[bytes]) -> str:
    if len(lines) > _MAX_HEADERS:
        return f"there may be {_MAX_HEADERS} headers. Received: {len(lines)}."
    headers = [(name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
    names = [name for name, _ in headers]
    for name in _ONCE:
        if names.count(name) > 1:
            return f"there must be one header {name.decode()}. Received: {names.count(name)}."
    framing = dict(headers)
    length, encoding = framing.get(b"content-length"), framing.get(b"transfer-encoding")
    if b"host" not in names and request_line.endswith(b"HTTP/1.1"):
        return "there must be a header host."
    if length is not None and encoding is not None:
        return "there must be a Content-Length or a Transfer-Encoding, not both."
    if length is not None and not re.fullmatch(rb"[0-9]{1,15}", length):
        return "Content-Length must be one number."
    if encoding is not None and (encoding.lower() != b"chunked" or request_line.endswith(b"HTTP/1.0")):
        return "Transfer-Encoding must be chunked, in HTTP/1.1."
    return ""


def _framing(head: bytes) -> int:
    """How many bytes of body follow a head that `head_problem` has passed, or `_CHUNKED`."""
    if _IN_CHUNKS.search(head):
        return _CHUNKED
    length = _LENGTH.search(head)
    return int(length[1]) if length else _NO_BODY
