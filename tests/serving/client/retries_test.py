"""What the client sends again, when, and how often it looks for a server that is away."""

import asyncio
import concurrent.futures
import contextlib
import socket
import socketserver
import threading
import time

import grpc
import pytest

from serving.client import AsyncGeneratorClient, ClientError, GeneratorClient
from serving.client.retries import Retries
from tests.serving import small_model
from tests.serving.embedded import running

PASSING = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED]

# Kinds of frames of HTTP/2, their flags, and codes of RST_STREAM.
_HEADERS, _RST_STREAM, _SETTINGS = 1, 3, 4
_ACK, _END_HEADERS = 1, 4
_INTERNAL_ERROR, _REFUSED_STREAM, _CANCEL = 2, 7, 8


class Refused(grpc.RpcError):
    def __init__(self, code, details="why"):
        super().__init__(details)
        self._code, self._details = code, details

    def code(self):
        return self._code

    def details(self):
        return self._details


@pytest.mark.parametrize("code", PASSING)
def test_pauses_grow_to_two_seconds_and_no_try_begins_after_the_deadline(code):
    retries = Retries("server", time.monotonic() + 60)
    pauses = [retries.pause_after(Refused(code)) for _ in range(9)]
    for pause, longest in zip(pauses, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2], strict=True):
        assert longest / 2 <= pause <= longest
    with pytest.raises(ClientError, match="server answered"):
        Retries("server", time.monotonic() + 0.01).pause_after(Refused(code))


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code not in PASSING])
def test_what_would_fail_again_is_not_sent_again(code):
    with pytest.raises(ClientError, match=f"{code.name}: why"):
        Retries("server", time.monotonic() + 60).pause_after(Refused(code))


@contextlib.contextmanager
def resetting(error_code):
    """A server that begins an answer and then ends its stream; yields its address and the list of such streams."""
    streams = []

    def frame(kind, flags, stream, payload=b""):
        return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload

    # ":status: 200" of the static table, and a literal header.
    head = b"\x88\x00\x0ccontent-type\x10application/grpc"

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.rfile.read(24)  # the preface
            self.wfile.write(frame(_SETTINGS, 0, 0))
            while len(start := self.rfile.read(9)) == 9:
                self.rfile.read(int.from_bytes(start[:3]))
                stream = int.from_bytes(start[5:])
                if start[3] == _SETTINGS and start[4] == 0:
                    self.wfile.write(frame(_SETTINGS, _ACK, 0))
                elif start[3] == _HEADERS:
                    streams.append(stream)
                    self.wfile.write(frame(_HEADERS, _END_HEADERS, stream, head))
                    self.wfile.write(frame(_RST_STREAM, 0, stream, error_code.to_bytes(4)))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", streams
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("error_code", "status"),
    [(_INTERNAL_ERROR, "INTERNAL"), (_REFUSED_STREAM, "UNAVAILABLE"), (_CANCEL, "CANCELLED")],
)
def test_an_answer_that_breaks_off_is_asked_for_again(error_code, status):
    with (
        resetting(error_code) as (target, streams),
        GeneratorClient(target, timeout_s=0.6) as client,
        pytest.raises(ClientError, match=status),
    ):
        client.embed([1])
    assert len(streams) >= 3


def test_the_asynchronous_client_asks_again_as_well():
    async def ask(target):
        async with AsyncGeneratorClient(target, timeout_s=0.6) as client:
            await client.sample([1], truncation=0.5)

    with resetting(_CANCEL) as (target, streams), pytest.raises(ClientError, match="CANCELLED"):
        asyncio.run(ask(target))
    assert len(streams) >= 3


def test_closing_the_client_ends_its_calls():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = GeneratorClient(f"127.0.0.1:{silent.getsockname()[1]}", timeout_s=30)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(client.embed, [1])
            time.sleep(0.2)
            client.close()
            with pytest.raises(ClientError, match="CANCELLED: Channel closed"):
                call.result(timeout=10)


def test_a_message_that_is_too_large_is_not_sent_again(tmp_path):
    small_model.write(str(tmp_path), 1, warmup=False)
    with (
        running(model_base_path=str(tmp_path), grpc_max_request_bytes=2**16) as (_, target),
        GeneratorClient(target, "small", max_batch=2**16, timeout_s=60) as client,
    ):
        begin = time.monotonic()
        with pytest.raises(ClientError, match=r"RESOURCE_EXHAUSTED.*larger than max.*Lower max_batch"):
            client.embed([1] * 2**15)
        assert time.monotonic() - begin < 30


def test_a_server_that_is_away_is_looked_for_often():
    """gRPC's own tries to connect would be one second apart and more, and soon two minutes."""
    with socket.create_server(("127.0.0.1", 0)) as away:
        accepted = []

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = away.accept()
                    accepted.append(time.monotonic())
                    connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        target = f"127.0.0.1:{away.getsockname()[1]}"
        with GeneratorClient(target, timeout_s=2.0) as client, pytest.raises(ClientError) as caught:
            client.embed([1])
        away.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(accepted) >= 5, accepted
