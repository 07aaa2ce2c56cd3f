"""Requests that a proxy and a server could understand in two ways: each is refused, or read in the one way there is."""

import itertools
import random

import pytest

from tests.serving.raw_http import exchange, listening, statuses

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"


def request(method=b"POST", headers=(), body=b"", version=b"HTTP/1.1", path=b"/v1/models/small"):
    lines = [method + b" " + path + b" " + version, b"Host: a", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


LENGTH = b"Content-Length: %d" % len(HIDDEN)
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
# What must be refused, though llhttp, h11 or http.server would take some of it.
AMBIGUOUS = {
    "two lengths": request(headers=[b"Content-Length: 0", LENGTH], body=HIDDEN),
    "two lengths, the long one first": request(headers=[LENGTH, b"Content-Length: 0"], body=HIDDEN),
    "the same length twice": request(headers=[LENGTH, LENGTH], body=HIDDEN),
    "lengths in one header": request(headers=[b"Content-Length: 0, %d" % len(HIDDEN)], body=HIDDEN),
    "length and chunks": request(headers=[LENGTH, b"Transfer-Encoding: chunked"], body=b"0\r\n\r\n" + HIDDEN),
    "chunks and length": request(headers=[b"Transfer-Encoding: chunked", LENGTH], body=b"0\r\n\r\n" + HIDDEN),
    "chunks twice": request(headers=[b"Transfer-Encoding: chunked"] * 2, body=CHUNKS),
    "another encoding": request(headers=[b"Transfer-Encoding: gzip, chunked"], body=CHUNKS),
    "unknown encoding": request(headers=[b"Transfer-Encoding: xchunked"], body=CHUNKS),
    "identity": request(headers=[b"Transfer-Encoding: identity", LENGTH], body=HIDDEN),
    "chunks in HTTP/1.0": request(headers=[b"Transfer-Encoding: chunked"], body=CHUNKS, version=b"HTTP/1.0"),
    "vertical tab before chunked": request(headers=[b"Transfer-Encoding: \x0bchunked"], body=CHUNKS),
    "folded encoding": request(headers=[b"Transfer-Encoding:\r\n chunked"], body=CHUNKS),
    "folded length": request(headers=[b"Content-Length: 1\r\n 0"], body=HIDDEN),
    "signed length": request(headers=[b"Content-Length: +%d" % len(HIDDEN)], body=HIDDEN),
    "negative length": request(headers=[b"Content-Length: -1"], body=HIDDEN),
    "hexadecimal length": request(headers=[b"Content-Length: 0x20"], body=HIDDEN),
    "no length": request(headers=[b"Content-Length:"], body=HIDDEN),
    "length with a line": request(headers=[b"Content-Length: 1_0"], body=HIDDEN),
    "endless length": request(headers=[b"Content-Length: " + b"9" * 5000], body=HIDDEN),
    "space before the colon": request(headers=[b"Content-Length : %d" % len(HIDDEN)], body=HIDDEN),
    "tab before the colon": request(headers=[b"Transfer-Encoding\t: chunked"], body=CHUNKS),
    "LF alone": b"POST / HTTP/1.1\nHost: a\nContent-Length: 0\n\n" + HIDDEN,
    "LF within": request(headers=[b"X: a\nContent-Length: %d" % len(HIDDEN)], body=HIDDEN),
    "CR within": request(headers=[b"X: a\rContent-Length: %d" % len(HIDDEN)], body=HIDDEN),
    "NUL": request(headers=[b"X: a\0b"]),
    "control character": request(headers=[b"X: a\x01b"]),
    "no name": request(headers=[b": a"]),
    "no colon": request(headers=[b"Content-Length"]),
    "two hosts": request(headers=[b"Host: b"]),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two tokens": request(headers=[b"Authorization: Bearer a", b"Authorization: Bearer b"]),
    "empty line first": b"\r\n" + request(),
    "two spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab in the first line": b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2.0": request(version=b"HTTP/2.0"),
    "HTTP/1.2": request(version=b"HTTP/1.2"),
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "method in lower case": request(method=b"get"),
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    "bytes that are no ASCII in the path": request(path=b"/\xff"),
    "chunk longer than it says": request(headers=[b"Transfer-Encoding: chunked"], body=b"1\r\nab\r\n0\r\n\r\n"),
    "chunk of no number": request(headers=[b"Transfer-Encoding: chunked"], body=b"zz\r\n"),
    "chunk of 0x5": request(headers=[b"Transfer-Encoding: chunked"], body=b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "chunk of 2^68": request(headers=[b"Transfer-Encoding: chunked"], body=b"f" * 17 + b"\r\n"),
    "chunk lines end in LF": request(headers=[b"Transfer-Encoding: chunked"], body=b"5\nabcde\n0\n\n"),
    "chunk extension ends in LF": request(headers=[b"Transfer-Encoding: chunked"], body=b"5;a\nabcde\r\n0\r\n\r\n"),
    "101 headers": request(headers=[b"X-%d: a" % i for i in range(101)]),
    "a header of 20,000 bytes": request(headers=[b"X: " + b"a" * 20_000]),
    "a path of 20,000 bytes": request(path=b"/" + b"a" * 20_000),
}


@pytest.fixture(scope="module")
def served():
    with listening() as (port, site, _):
        yield port, site


def refused(served, data):
    port, site = served
    site.seen.clear()
    answers = exchange(port, data)
    codes = statuses(answers)
    assert len(codes) == 1, answers
    assert 400 <= codes[0] < 500, answers
    assert b"connection: close" in answers.lower()
    assert ("GET", "/hidden") not in site.seen
    return codes[0]


@pytest.mark.attack
@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_request_is_refused_and_the_connection_closed(served, name):
    refused(served, AMBIGUOUS[name])


@pytest.mark.attack
def test_no_body_becomes_the_next_request(served, attack):
    port, site = served
    tries = 0
    for method in (b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE"):
        for headers, body in (([LENGTH], HIDDEN), ([b"Transfer-Encoding: chunked"], CHUNKS)):
            site.seen.clear()
            answers = exchange(port, request(method, headers, body) + request(b"GET", path=b"/next"))
            tries += 1
            assert ("GET", "/hidden") not in site.seen, method
            assert statuses(answers)[0] == 200, answers
            # After a body in chunks the next request is answered only if it waits for the answer.
            assert site.seen[-1] in {("GET", "/next"), (method.decode().replace("HEAD", "GET"), "/v1/models/small")}
    for data in AMBIGUOUS.values():
        tries += 1
        refused(served, data)
    attack("server", "HTTP requests that hide another request", tries, tries, "no hidden request was answered")


def test_a_request_after_a_body_is_answered_on_the_same_connection(served):
    port, site = served
    site.seen.clear()
    data = request(headers=[LENGTH], body=HIDDEN) + request(b"GET", path=b"/second") + request(b"GET", path=b"/third")
    assert statuses(exchange(port, data)) == [200, 200, 200]
    assert [path for _, path in site.seen] == ["/v1/models/small", "/second", "/third"]


def test_a_body_in_chunks_is_read_whole_and_its_trailer_is_no_header(served):
    port, _ = served
    body = b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nAuthorization: Bearer x\r\nX: y\r\n\r\n"
    answer = exchange(port, request(headers=[b"Transfer-Encoding: chunked"], body=body))
    assert statuses(answer) == [200]
    assert b'"body": 5, "authorization": null' in answer


def test_an_offer_of_another_protocol_is_ignored(served):
    # Java's client sends this with its first request, whatever the method.
    port, _ = served
    headers = [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAEAAEAAAAIAAAAB", LENGTH]
    answer = exchange(port, request(headers=headers, body=HIDDEN))
    assert statuses(answer) == [200]
    assert b'"body": %d' % len(HIDDEN) in answer


@pytest.mark.attack
def test_heads_with_random_bytes_hide_nothing(served, attack):
    port, site = served
    rng = random.Random(3)
    good = request(headers=[LENGTH, b"X: abc"], body=HIDDEN)
    head = good.index(b"\r\n\r\n") + 4
    tries = 300
    for _ in range(tries):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            # Not within the number: a shorter body leaves the rest to be a request, as it should.
            at = rng.choice([i for i in range(head) if not chr(good[i]).isdigit()])
            data[at] = rng.choice(b"\0\r\n\t :;,\x0b\x7f\xff0aA")
        site.seen.clear()
        answers = exchange(port, bytes(data))
        codes = statuses(answers)
        lengths = [line for line in bytes(data[:head]).split(b"\r\n") if line.lower().startswith(b"content-length:")]
        if len(codes) > 1:
            # Only where the header is no longer there, so that no body was announced.
            assert not lengths, bytes(data)
        assert all(code < 500 for code in codes), bytes(data)
    assert statuses(exchange(port, good)) == [200]
    attack("server", "HTTP heads with 1 to 3 bytes replaced", tries, tries, "no status 500, no body read as a request")


def test_every_split_of_a_request_is_read_alike(served):
    import socket

    from tests.serving.raw_http import connect, read_all

    port, site = served
    data = request(headers=[LENGTH, b"Connection: close"], body=HIDDEN)
    for cut in itertools.chain(range(1, len(data), 7)):
        site.seen.clear()
        with connect(port) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(data[:cut])
            connection.sendall(data[cut:])
            answer = read_all(connection)
        assert statuses(answer) == [200]
        assert b'"body": %d' % len(HIDDEN) in answer
