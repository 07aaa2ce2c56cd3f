"""Starts the embedded server inside the test's process."""

import contextlib
import os
import time

from serving.server.flags import ServerOptions
from serving.server.model_server import ModelServer
from tests.free_port import free_port


@contextlib.contextmanager
def running(**options):
    options = ServerOptions(**{"port": free_port(), "model_name": "small", "max_num_load_retries": 0, **options})
    server = ModelServer(options)
    try:
        server.start()
        yield server, f"127.0.0.1:{options.port}"
    finally:
        server.stop(1.0)


def wait_for(condition, timeout_s=120.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} did not come true in {timeout_s} s")
        time.sleep(0.02)


def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
