"""An HTTP port: its event loop in a thread of its own, its connections, and how it stops.

uvicorn reads and writes the connections (`serving.server.http_protocol`), and a bare ASGI application answers them
(`serving.server.http_app`). uvicorn, because it is a small and much used server whose protocol class
can be given limits from outside; aiohttp would bring a framework and a client. No framework such as
starlette, because TensorFlow Serving's paths are one regular expression, which its router cannot express.
The event loop is uvloop's. A request goes from the loop to a thread and back, and with asyncio's own loop a small one
took a quarter longer.

uvicorn's own `Server` is not used: it takes the process's signals, it cannot end a connection that is slow, and it
closes connections whose request has come but has not been read yet when it stops.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections import Counter

import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

from serving.server.http_app import HttpApp
from serving.server.http_protocol import Awaited, HttpConnection, HttpLimits
from serving.server.peers import peer_of_host

_log = logging.getLogger(__name__)
_BACKLOG = 1024
_SWEEP_S = 0.25
_PAUSE_S = 0.05
# After the port has closed, a request that was sent before may still be on its way.
_SETTLE_S = 0.5
# A request that has come in part may take so long to come as a whole.
_PARTIAL_S = 2.0


class HttpServer:
    """Answers on one port, from its construction until `close`.

    Args:
        app: What answers.
        listening: A socket that is bound to the port.
        tls: The settings of TLS; None: the connections are not encrypted.
        limits: What a peer may take of the server.
    """

    def __init__(self, app: HttpApp, listening: socket.socket, tls: ssl.SSLContext | None, limits: HttpLimits):
        self._listening, self._tls, self._limits = listening, tls, limits
        self._state = ServerState()
        self._config = Config(
            app,
            http=HttpConnection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            # Otherwise a client on this machine could claim, by X-Forwarded-For, that another peer sent its requests.
            proxy_headers=False,
            # `HttpConnection` has its own limit, which also holds after a request has begun.
            timeout_keep_alive=2**31,
        )
        self._connections: dict[HttpConnection, asyncio.Task[None]] = {}
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        self._loop = uvloop.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()

    def drain(self, grace_s: float) -> concurrent.futures.Future[None]:
        """Closes the port and every connection, each after the answer to what was sent on it before.

        Args:
            grace_s: Seconds after which connections are closed in any case.

        Returns:
            The future that is done when the last connection is closed.
        """
        return asyncio.run_coroutine_threadsafe(self._drain(grace_s), self._loop)

    def close(self) -> None:
        """Ends the thread; what `drain` has not closed is dropped."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop.add_reader(self._listening, self._accept)
        sweeping = asyncio.create_task(self._sweep())
        await self._ended.wait()
        sweeping.cancel()
        self._stop_listening()
        for connection in list(self._connections):
            self._abort(connection)
        await asyncio.sleep(0)

    def _accept(self) -> None:
        # One at a time: peers that connect without end must not keep the loop from the others.
        try:
            self._admit(*self._listening.accept())
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:  # no descriptor is left
            _log.warning("A connection could not be accepted: %s", error)
            self._loop.remove_reader(self._listening)
            self._loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)

    def _stop_listening(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
            self._listening.close()

    def _admit(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        accepted.setblocking(False)
        if len(self._connections) >= self._limits.max_connections and not self._make_room():
            accepted.close()
            return
        connection = HttpConnection(self._config, self._state, self._limits, peer_of_host(address[0]), self._forget)
        self._connections[connection] = asyncio.create_task(self._connect(connection, accepted))

    async def _connect(self, connection: HttpConnection, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.head_s if self._tls else None,
            )
        except OSError as error:  # the handshake failed, or took too long
            _log.debug("A connection from %s broke: %s", connection.peer, error)
        except asyncio.CancelledError:
            accepted.close()
            raise
        finally:
            if connection.phase is Awaited.HANDSHAKE:
                self._forget(connection)

    def _make_room(self) -> bool:
        """Ends the connection that has waited longest for its peer, of the peer that has most of these."""
        waiting = [connection for connection in self._connections if connection.waits_for_peer()]
        if not waiting:
            return False
        counts = Counter(connection.peer for connection in waiting)
        busiest = max(counts.values())
        longest = min((one for one in waiting if counts[one.peer] == busiest), key=lambda one: one.since)
        self._abort(longest)
        self._forget(longest)
        return True

    def _abort(self, connection: HttpConnection) -> None:
        if connection.transport is not None:
            connection.transport.abort()
        elif connection in self._connections:
            self._connections[connection].cancel()

    def _forget(self, connection: HttpConnection) -> None:
        self._connections.pop(connection, None)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now, unread = time.monotonic(), 0
            for connection in sorted(self._connections, key=lambda one: one.since, reverse=True):
                connection.end_if_late(now)
                unread += connection.unread_bytes()
                if unread > self._limits.max_held_bytes and connection.unread_bytes():
                    unread -= connection.unread_bytes()
                    self._abort(connection)

    async def _drain(self, grace_s: float) -> None:
        begin = time.monotonic()
        self._state.default_headers.append((b"connection", b"close"))
        with contextlib.suppress(OSError):
            while True:  # these have connected, and perhaps sent, before
                self._admit(*self._listening.accept())
        self._stop_listening()
        while self._connections and time.monotonic() < begin + grace_s:
            await asyncio.sleep(0.01)
            waited = time.monotonic() - begin
            for connection in list(self._connections):
                patience_s = _SETTLE_S if connection.is_unused() else _PARTIAL_S
                if waited > patience_s and connection.phase is not Awaited.ANSWER:
                    self._close(connection)
        for connection in list(self._connections):
            self._abort(connection)

    def _close(self, connection: HttpConnection) -> None:
        if connection.transport is None:
            self._abort(connection)
        elif not connection.transport.is_closing():
            connection.transport.close()
