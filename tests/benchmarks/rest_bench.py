"""The REST port of this tree against that of another one: latency and requests a second, as ratios of the same run.

With BASELINE=DIR, the root of another checkout of this repository, its server is measured in turns with this one's;
without it this tree's server is measured against itself, which shows how far two equal servers differ.
"""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

_AGAINST = "the baseline's" if "BASELINE" in os.environ else "itself, since BASELINE names no other tree"
TITLE = f"REST: this tree's port against {_AGAINST}, as ratios of the same run"
ROUNDS, SECONDS = 5, 1.5
_HERE = pathlib.Path(__file__).resolve().parents[2]
_ROW = {"label": 1, "seed": 7, "truncation": 0.5}
_PREDICT = "/v1/models/small:predict"
CALLS = {
    "GET status": ("GET", "/v1/models/small", None),
    "predict 1 row": ("POST", _PREDICT, {"instances": [_ROW]}),
    "predict 8 rows": ("POST", _PREDICT, {"instances": [_ROW] * 8}),
}
# Each client is a process of its own, so that it takes no time of Python from the others.
_CLIENT = """
import http.client, json, sys, time
port, method, path, body, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5])
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
times, end = [], time.perf_counter() + seconds
while time.perf_counter() < end:
    begin = time.perf_counter()
    connection.request(method, path, body or None)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        sys.exit(f"status {answer.status}")
    times.append(time.perf_counter() - begin)
print(json.dumps(times))
"""


def measure() -> Iterator[dict]:
    trees = {"baseline": os.environ.get("BASELINE", str(_HERE)), "this": str(_HERE)}
    with tempfile.TemporaryDirectory() as base, contextlib.ExitStack() as servers:
        subprocess.run([sys.executable, "-m", "tests.serving.conformance.write_model", base], check=True, cwd=_HERE)
        ports = {name: servers.enter_context(_server(tree, base)) for name, tree in trees.items()}
        for what, (method, path, body) in CALLS.items():
            for clients in (1, 8):
                rounds = [
                    {name: _load(port, method, path, body, clients) for name, port in ports.items()}
                    for _ in range(ROUNDS)
                ]
                yield _row(f"{what}, {clients} client{'s' * (clients > 1)}", rounds)


def _row(what: str, rounds: list[dict]) -> dict:
    def ratio(index):
        return statistics.median(each["this"][index] / each["baseline"][index] for each in rounds)

    def ms(name):
        return f"{1e3 * statistics.median(each[name][0] for each in rounds):.2f} ms"

    return {
        "what": what,
        "baseline p50": ms("baseline"),
        "this p50": ms("this"),
        "p50 ratio": ratio(0),
        "requests a second ratio": ratio(1),
    }


def _load(port: int, method: str, path: str, body: dict | None, clients: int) -> tuple[float, float]:
    """The median seconds of a request, and requests a second."""
    text = json.dumps(body) if body else ""
    command = [sys.executable, "-S", "-c", _CLIENT, str(port), method, path, text, str(SECONDS)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(clients)]
    times = [seconds for process in running for seconds in json.loads(process.communicate()[0])]
    return statistics.median(times), len(times) / SECONDS


@contextlib.contextmanager
def _server(tree: str, base: str) -> Iterator[int]:
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    command = [sys.executable, "-m", "serving.server", f"--port={ports[0]}", f"--rest_api_port={ports[1]}"]
    command += ["--model_name=small", f"--model_base_path={base}"]
    environment = {**os.environ, "PYTHONPATH": tree, "CUDA_VISIBLE_DEVICES": "-1"}
    with subprocess.Popen(command, cwd=tree, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(ports[1])
            yield ports[1]
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(port: int) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v1/models/small/metadata")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise TimeoutError(f"port {port} did not open")
