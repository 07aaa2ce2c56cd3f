"""SIGTERM under load: every REST request that was sent before it is answered."""

import concurrent.futures
import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
import pytest

from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.raw_http import connect, read_all, statuses

BODY = json.dumps({"instances": [{"label": 1, "seed": 7, "truncation": 0.5}]}).encode()
POST = b"POST /v1/models/small:predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
STOPS, CLIENTS = 6, 16


@contextlib.contextmanager
def serving(base):
    port, rest = free_port(), free_port()
    command = [sys.executable, "-m", "serving.server", f"--port={port}", f"--rest_api_port={rest}"]
    command += ["--model_name=small", f"--model_base_path={base}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=300)
        while True:
            with contextlib.suppress(OSError), connect(rest):
                break
            time.sleep(0.1)
        yield process, rest
        process.kill()


def kept_alive(rest, begun, stopped, results):
    """Sends requests on one connection, and notes whether each that was sent before the signal was answered."""
    rng = random.Random()
    with connect(rest) as connection:
        begun.wait()
        while not stopped.is_set():
            sent = time.monotonic()
            try:
                connection.sendall(POST)
                answer = connection.recv(1 << 20)
                while answer and b"\r\n\r\n" not in answer:
                    answer += connection.recv(1 << 20)
                closing = b"connection: close" in answer.lower()
                if answer:
                    size = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    body = answer.split(b"\r\n\r\n", 1)[1]
                    while len(body) < size:
                        body += connection.recv(1 << 20)
            except OSError:
                answer, closing = b"", True
            results.append((sent, statuses(answer)[:1]))
            if closing or not answer:
                return
            time.sleep(rng.uniform(0, 0.01))


@pytest.mark.slow
@pytest.mark.attack
def test_requests_that_were_sent_before_sigterm_are_answered(tmp_path, attack):
    small_model.write(str(tmp_path), 1)
    tries = answered = 0
    longest = 0.0
    for _ in range(STOPS):
        with serving(tmp_path) as (process, rest), contextlib.ExitStack() as stack:
            begun, stopped, results = threading.Event(), threading.Event(), []
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(CLIENTS))
            clients = [pool.submit(kept_alive, rest, begun, stopped, results) for _ in range(CLIENTS)]
            begun.set()
            time.sleep(1.0)
            # New connections that have sent, some of which the server has not accepted yet.
            fresh = [stack.enter_context(connect(rest)) for _ in range(8)]
            for connection in fresh:
                connection.sendall(POST)
                connection.shutdown(socket.SHUT_WR)
            signalled = time.monotonic()
            process.send_signal(signal.SIGTERM)
            codes = [statuses(read_all(connection))[:1] for connection in fresh]
            stopped.set()
            assert process.wait(timeout=60) == 0
            longest = max(longest, time.monotonic() - signalled)
            for client in clients:
                client.result(timeout=60)
            codes += [code for sent, code in results if sent < signalled]
            tries += len(codes)
            answered += codes.count([200])
            assert codes.count([200]) == len(codes), [code for code in codes if code != [200]]
    assert longest < 40  # the time that a drain may take, and then the models are unloaded
    attack("server", f"REST requests around a SIGTERM, {STOPS} times", tries, answered,
           f"every request sent before it was answered; the longest stop took {longest:.1f} s")  # fmt: skip
