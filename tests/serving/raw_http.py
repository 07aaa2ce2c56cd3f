"""A port of the server with a small site behind it, and bytes that no HTTP client would send."""

import contextlib
import errno
import json
import re
import socket
import threading

from serving.server.access import Access
from serving.server.flags import ServerOptions
from serving.server.http_app import HttpAnswer, HttpApp
from serving.server.http_protocol import HttpLimits
from serving.server.http_server import HttpServer
from serving.server.listening import bind


class EchoSite:
    """Answers with what it understood of a request; /wait waits until `gate` is set."""

    headers = ()

    def __init__(self):
        self.seen, self.gate = [], threading.Event()

    def is_open(self, request):
        return request.path == "/open"

    async def answer(self, request):
        import asyncio

        self.seen.append((request.method, request.path))
        if request.path == "/wait":
            await asyncio.to_thread(self.gate.wait)
        if request.path == "/long":
            return HttpAnswer(200, b"x" * 8 * 2**20)
        understood = {"method": request.method, "path": request.path, "body": len(request.body)}
        understood["authorization"] = request.headers.get("authorization")
        return HttpAnswer(200, json.dumps(understood).encode())


@contextlib.contextmanager
def listening(limits=None, tls=None, **options):
    """Yields the port, the site and the server."""
    limits = limits or HttpLimits()
    bound = bind("127.0.0.1", 0, "port")
    site, port = EchoSite(), bound.getsockname()[1]
    server = HttpServer(HttpApp(site, Access(ServerOptions(**options)), limits), bound, tls, limits)
    try:
        yield port, site, server
    finally:
        site.gate.set()
        server.close()


def connect(port, timeout_s=20):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)


def read_all(connection):
    """What comes until the server closes the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            data += part
    return data


def exchange(port, data):
    """Sends bytes, says that no more will come, and returns the answers."""
    with connect(port) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        # A server that refuses early may have closed already: sending then fails, or there is nothing to shut down.
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                raise
        return read_all(connection)


def statuses(data):
    """The status of each answer in what a connection sent."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", data)]
