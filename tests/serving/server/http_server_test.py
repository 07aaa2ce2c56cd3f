"""Slow, greedy and many peers, on a port with short time limits; and how a port closes."""

import contextlib
import socket
import ssl
import threading
import time

import pytest

from serving.server.http_protocol import HttpLimits
from tests.serving.embedded import wait_for
from tests.serving.raw_http import connect, exchange, listening, read_all, statuses

GET = b"GET /v1/models/small HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET /v1/models/small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SHORT = HttpLimits(head_s=0.5, body_s=0.5, idle_s=0.5, answer_s=0.5)


def post(size, path=b"/v1/models/small:predict"):
    return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path, size)


def drip(connection, data, stop):
    """Sends a byte at a time until the server closes the connection."""
    with contextlib.suppress(OSError):
        for i in range(len(data)):
            if stop.wait(0.05):
                return
            connection.sendall(data[i : i + 1])


@pytest.mark.parametrize("data", [GET * 9, post(9000)[:-4] + b"\r\nX: " + b"a" * 900], ids=["GET", "POST"])
def test_a_head_that_comes_byte_by_byte_is_ended_by_its_time_limit(data):
    with listening(SHORT) as (port, _, _), connect(port) as connection:
        stop = threading.Event()
        sender = threading.Thread(target=drip, args=(connection, data, stop))
        begin = time.monotonic()
        sender.start()
        answer = read_all(connection)
        took = time.monotonic() - begin
        stop.set()
        sender.join()
    assert statuses(answer) in ([408], [])  # a byte that comes after the server closed destroys the answer
    assert 0.4 < took < 3


def test_a_body_that_comes_byte_by_byte_is_ended_by_its_time_limit():
    with listening(SHORT) as (port, site, _), connect(port) as connection:
        stop = threading.Event()
        connection.sendall(post(9000))
        sender = threading.Thread(target=drip, args=(connection, b"a" * 9000, stop))
        begin = time.monotonic()
        sender.start()
        read_all(connection)
        took = time.monotonic() - begin
        stop.set()
        sender.join()
        assert site.seen == []
    assert 0.4 < took < 3


def test_a_body_that_comes_fast_enough_is_read_past_the_first_time_limit():
    with listening(HttpLimits(body_s=0.2, bytes_per_s=2**16)) as (port, _, _), connect(port) as connection:
        connection.sendall(post(5 * 2**15))
        for _ in range(5):
            connection.sendall(b"a" * 2**15)  # in a tenth of a second, of which the limit grows by half a second
            time.sleep(0.1)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(read_all(connection)) == [200]


def test_idle_and_silent_connections_are_closed():
    with listening(SHORT) as (port, _, _), connect(port) as silent, connect(port) as idle:
        idle.sendall(GET)
        assert statuses(idle.recv(4096)) == [200]
        begin = time.monotonic()
        assert read_all(idle) == b""
        assert statuses(read_all(silent)) in ([408], [])
        assert time.monotonic() - begin < 3


def test_an_answer_that_is_not_read_is_given_up():
    with listening(HttpLimits(answer_s=0.3, bytes_per_s=2**26)) as (port, _, server), connect(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: len(server._connections) == 1, 10)
        wait_for(lambda: len(server._connections) == 0, 10)


@pytest.mark.attack
@pytest.mark.parametrize("slow", ["silent", "head", "body"])
def test_256_slow_connections_shut_nobody_out(slow, attack):
    """Each holds what it has; the port is full with them twice over, and honest clients do not notice."""
    begun = {"silent": b"", "head": GET[:-2], "body": post(1000) + b"{"}[slow]
    slow_ones, honest, served = 256, 50, 0
    limits = HttpLimits(max_connections=128, head_s=2.0, body_s=2.0)
    with listening(limits) as (port, _, server), contextlib.ExitStack() as stack:
        connections = []
        for i in range(slow_ones):
            connection = stack.enter_context(connect(port))
            with contextlib.suppress(OSError):
                connection.sendall(begun)
            connections.append(connection)
            if i % 5 == 0:
                served += statuses(exchange(port, CLOSE)) == [200]
        assert len(server._connections) <= 128
        honest = len(range(0, slow_ones, 5))
        assert served == honest
        wait_for(lambda: len(server._connections) == 0, 10)
        for connection in connections:
            connection.settimeout(10)
            read_all(connection)
    attack("server", f"slow HTTP connections ({slow}) at a port for 128", slow_ones, slow_ones,
           f"all ended within 2 s; {served} of {honest} honest requests answered meanwhile")  # fmt: skip


def test_a_connection_whose_request_runs_does_not_give_way():
    with listening(HttpLimits(max_connections=2)) as (port, site, _), connect(port) as running, connect(port) as idle:
        running.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        wait_for(lambda: site.seen, 10)
        idle.sendall(b"GET ")
        assert statuses(exchange(port, CLOSE)) == [200]
        assert read_all(idle) == b""
        site.gate.set()
        assert statuses(read_all(running)) == [200]


@pytest.mark.attack
def test_bodies_that_are_too_large_are_refused_before_they_are_read(attack):
    with listening(HttpLimits(max_body_bytes=1000)) as (port, site, _):
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        cases = [
            (post(1000) + b"a" * 1000, 200),
            (post(1001) + b"a" * 1001, 413),
            (post(2**40), 413),
            (post(3 * 2**20) + b"a" * 3 * 2**20, 413),
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n" + b"a" * 1001, 413),
            (chunked + b"3e8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n", 200),
            (chunked + b"3e9\r\n" + b"a" * 1001 + b"\r\n0\r\n\r\n", 413),
            (chunked + b"1\r\na\r\n" * 1001 + b"0\r\n\r\n", 413),
            (chunked + b"1;" + b"x" * 2**20 + b"\r\na\r\n0\r\n\r\n", 413),
            (chunked + b"0\r\nX: " + b"x" * 2**20 + b"\r\n\r\n", 413),
        ]
        for data, status in cases:
            site.seen.clear()
            assert statuses(exchange(port, data)) == [status], data[:100]
            assert bool(site.seen) == (status == 200)
    attack("server", "HTTP bodies beyond the limit", len(cases), len(cases), "413 for each, none reached a model")


def test_a_client_that_waits_for_100_continue_is_told_at_once():
    expect = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with listening(HttpLimits(max_body_bytes=1000)) as (port, _, _):
        with connect(port) as connection:
            connection.sendall(expect % 2000)
            assert statuses(read_all(connection)) == [413]
        with connect(port) as connection:
            connection.sendall(expect % 2)
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"ab")
            assert statuses(connection.recv(4096)) == [200]


def test_large_bodies_that_are_held_are_bounded_and_small_ones_are_read_meanwhile():
    limits = HttpLimits(max_body_bytes=2**20, max_held_bytes=2**20)
    with listening(limits) as (port, _, _), connect(port) as first:
        first.sendall(post(2**20) + b"a" * (2**20 - 1))
        time.sleep(0.3)
        assert statuses(exchange(port, post(2**19) + b"a" * 2**19)) == [503]
        assert statuses(exchange(port, post(10) + b"a" * 10)) == [200]
        first.sendall(b"a")
        assert statuses(first.recv(4096)) == [200]
        assert statuses(exchange(port, post(2**19) + b"a" * 2**19)) == [200]


def test_requests_that_were_sent_before_the_stop_are_answered():
    """Some run, some are in the kernel's buffers, and some of their connections are not accepted yet."""
    with listening() as (port, site, server), contextlib.ExitStack() as stack:
        running = stack.enter_context(connect(port))
        running.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: site.seen, 10)
        idle = stack.enter_context(connect(port))
        idle.sendall(GET)
        assert statuses(idle.recv(4096)) == [200]
        half = stack.enter_context(connect(port))
        half.sendall(post(4) + b"ab")
        sent = [stack.enter_context(connect(port)) for _ in range(48)]
        for connection in sent:
            connection.sendall(GET)
        drained = server.drain(20)
        idle.sendall(GET)
        # Each is answered, and then its connection ends, which an answer from before the stop does not announce.
        assert [statuses(read_all(connection)) for connection in sent] == [[200]] * len(sent)
        assert statuses(read_all(idle)) == [200]
        half.sendall(b"cd")
        assert statuses(read_all(half)) == [200]
        with pytest.raises(ConnectionRefusedError):
            connect(port)
        assert not drained.done()
        site.gate.set()
        assert statuses(read_all(running)) == [200]
        drained.result(timeout=10)


def test_a_stop_waits_for_no_peer_that_is_silent():
    with listening() as (port, _, server), connect(port) as silent, connect(port) as half:
        half.sendall(GET[:20])
        begin = time.monotonic()
        server.drain(20).result(timeout=20)
        assert time.monotonic() - begin < 4
        assert read_all(silent) == read_all(half) == b""


def test_a_handshake_of_tls_that_does_not_come_gives_way(tls_context):
    limits = HttpLimits(max_connections=4, head_s=1.0)
    server_side, client_side = tls_context
    with listening(limits, server_side) as (port, _, server), contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(port)) for _ in range(16)]
        plain = stack.enter_context(connect(port))
        with client_side.wrap_socket(connect(port), server_hostname="localhost") as connection:
            connection.sendall(CLOSE)
            assert statuses(read_all(connection)) == [200]
        wait_for(lambda: len(server._connections) == 0, 10)
        for connection in (*silent, plain):
            read_all(connection)


@pytest.fixture
def tls_context(tmp_path):
    from tests.serving.server.model_server_test import certificate

    key, cert = certificate()
    (tmp_path / "pem").write_bytes(key + cert)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "pem")
    return server_side, ssl.create_default_context(cadata=cert.decode())


def test_no_header_names_the_server_or_its_version():
    with listening() as (port, _, _):
        head = exchange(port, CLOSE).split(b"\r\n\r\n")[0].lower()
        assert b"server:" not in head
        assert b"python" not in head
        assert b"date:" in head
