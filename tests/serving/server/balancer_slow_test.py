"""Three servers behind HAProxy with the configuration that is shipped: killed, stopped, frozen, given a new version.

Clients that send a request again as docs/how_to/serve.md says must lose none, and every answer must have the bytes of a
version that could answer at that time.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import json
import logging
import re
import shutil
import signal
import subprocess
import threading
import time

import grpc
import numpy as np
import pytest
import urllib3

from serving import signatures as s
from serving.client import GeneratorClient
from serving.client.messages import PREDICT_METHOD, predict_request, to_array
from serving.client.retries import Retries
from serving.protos.predict import PredictRequest, PredictResponse
from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import wait_for
from tests.serving.server_process import ROOT, started

_log = logging.getLogger(__name__)
CONFIG = ROOT / "serving" / "deploy" / "haproxy.cfg"
RETRY_PAGE = ROOT / "docs" / "how_to" / "serve.md"
SERVERS = 3
# More than the 16 KiB that HAProxy keeps of a request, so that only the client can send it again.
WIDE = 8192
PAUSE_S = 0.03
WRONG = -1
EVENTS = (
    "one killed",
    "one killed, one stopped",
    "both start again",
    "a new version",
    "one frozen",
    "one thawed",
    "the third stopped",
)
FLAGS = ("--model_name=biggan", f"--max_batch_rows={WIDE}", "--enable_grpc_healthcheck_service=true")


def configuration(front, backs):
    """The shipped configuration with the ports of a test: (gRPC, REST) of the balancer, and of each server."""
    text = CONFIG.read_text()
    replaced = {f"bind :{shipped}": f"bind 127.0.0.1:{port}" for shipped, port in zip((8500, 8501), front, strict=True)}
    for number, ports in enumerate(backs, 1):
        for shipped, port in zip((8500, 8501), ports, strict=True):
            replaced[f"10.0.0.1{number}:{shipped}"] = f"127.0.0.1:{port}"
    for shipped, own in replaced.items():
        assert text.count(shipped) == 1
        text = text.replace(shipped, own)
    return text


@contextlib.contextmanager
def balancer(folder, front, backs):
    """Runs HAProxy; yields a function that reads its log."""
    path, log = folder / "haproxy.cfg", folder / "haproxy.log"
    path.write_text(configuration(front, backs))
    with open(log, "wb") as file:
        process = subprocess.Popen([shutil.which("haproxy"), "-f", str(path)], stdout=file, stderr=file)
    try:
        yield log.read_text
    finally:
        process.kill()
        process.wait()


class Servers:
    """Servers of one folder of exports, each of which can be ended and started again on its ports."""

    def __init__(self, folder, base, stack):
        self.ports = [(free_port(), free_port()) for _ in range(SERVERS)]
        self._folder, self._base, self._stack = folder, base, stack
        self._running = {}
        self.start(*range(SERVERS))

    def start(self, *numbers):
        """Starts servers at a time, and returns once each of them answers."""
        with concurrent.futures.ThreadPoolExecutor(SERVERS) as pool:
            self._running |= zip(numbers, pool.map(self._start, numbers), strict=True)

    def _start(self, number):
        port, rest = self.ports[number]
        flags = [*FLAGS, f"--rest_api_port={rest}", f"--model_base_path={self._base}"]
        return self._stack.enter_context(started(self._folder / f"server{number}.log", port, *flags))

    def send(self, number, signal_number):
        self._running[number].process.send_signal(signal_number)

    def end(self, number, signal_number):
        """Sends a signal that ends a server; returns its exit status."""
        self.send(number, signal_number)
        return self._running[number].process.wait(timeout=60)

    def serve_only(self, version):
        """Whether every server has this version and no other any more."""
        for _, rest in self.ports:
            page = urllib3.request("GET", f"http://127.0.0.1:{rest}/v1/models/biggan", retries=False).json()
            states = {int(entry["version"]): entry["state"] for entry in page["model_version_status"]}
            if {number for number, state in states.items() if state != "END"} != {version}:
                return False
            if states[version] != "AVAILABLE":
                return False
        return True


@dataclasses.dataclass
class Tally:
    """What clients counted.

    Attributes:
        event: What is happening to the servers.
        versions: Those that may answer.
        answers: Right answers by event.
        again: How often a client had to send a request again, by event, client and reason.
        slowest_s: Seconds that the slowest answer took, by event.
        failures: The event, the client and what went wrong, for each request that failed.
    """

    event: str = "nothing"
    versions: tuple = (1,)
    answers: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    again: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    slowest_s: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    failures: list = dataclasses.field(default_factory=list)
    stopped: threading.Event = dataclasses.field(default_factory=threading.Event)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def ask_on(self, client, ask):
        """Asks until the end; `ask` returns the version that the answer shows, `WRONG` or None: one of any version."""
        while not self.stopped.is_set():
            allowed, sent = set(self.versions), time.monotonic()
            try:
                got, problem = ask(), ""
            except Exception as error:  # noqa: BLE001  every kind of failure is counted
                got, problem = WRONG, repr(error)
            with self.lock:
                event = self.event  # when the answer came: one that was long in coming waited for what happened last
                if got is None or got in allowed.union(self.versions):
                    self.answers[event] += 1
                    self.slowest_s[event] = max(self.slowest_s[event], time.monotonic() - sent)
                else:
                    self.failures.append((event, client, problem or f"version {got} of {allowed}"))
            time.sleep(PAUSE_S)

    def sent_again(self, client, reason):
        with self.lock:
            self.again[self.event, client, reason] += 1

    def log(self):
        for event in self.answers:
            again = {key[1:]: count for key, count in self.again.items() if key[0] == event}
            _log.info("%s: %d answers, the slowest after %.1f s, sent again: %s",
                      event, self.answers[event], self.slowest_s[event], again)  # fmt: skip


def version_of(embeddings):
    """The version that has embedded the class 1 in each row; `small_model` writes its number there."""
    values = np.asarray(embeddings)
    version = values[0, 1]
    return version if np.array_equal(values, np.tile([0, version, 0, 0], (len(values), 1))) else WRONG


def embedding(client, rows):
    return version_of(client.embed([1] * rows))


def picture(client, expected):
    return None if client.sample_png([3], seeds=[7], truncation=0.5) == expected else WRONG


def documented(language, word):
    """The block of the page about retries that is written in a language and has a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", RETRY_PAGE.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if word in block]
    return block


def with_service_config(stack, target):
    """Asks as any gRPC client can, with the policy that the page has for these."""
    options = [("grpc.service_config", documented("json", "retryPolicy")), ("grpc.use_local_subchannel_pool", 1)]
    channel = stack.enter_context(grpc.insecure_channel(target, options))
    call = channel.unary_unary(PREDICT_METHOD, PredictRequest.SerializeToString, PredictResponse.FromString)
    inputs = {s.LABEL: np.array([1], np.int32)}
    request = predict_request("biggan", s.EMBED, inputs, (s.EMBEDDING,), None)
    return lambda: version_of(to_array(call(request, timeout=30).outputs[s.EMBEDDING]))


def over_rest(port, padding, tally):
    """Asks by urllib3 as the page says, with so many spaces behind the body."""
    names = {}
    exec(documented("python", "urllib3").split("\n\nbody")[0], names)
    body = json.dumps({"signature_name": s.EMBED, "inputs": {s.LABEL: [1]}}) + " " * padding
    url = f"http://127.0.0.1:{port}/v1/models/biggan:predict"

    def ask():
        answer = names["http"].request("POST", url, body=body)
        for failed in answer.retries.history:
            tally.sent_again("REST", str(failed.status or failed.error)[:200])
        return version_of(answer.json()["outputs"])

    return ask


def ask_in_threads(stack, front, tally):
    """Starts the clients, which ask until the end of the stack."""
    target = f"127.0.0.1:{front[0]}"
    ours = stack.enter_context(GeneratorClient(target, timeout_s=60))
    wide = stack.enter_context(GeneratorClient(target, timeout_s=60, max_batch=WIDE))
    expected = ours.sample_png([3], seeds=[7], truncation=0.5)
    tally.again.clear()  # HAProxy was just starting
    asks = {
        "a row": functools.partial(embedding, ours, 1),
        "a picture": functools.partial(picture, ours, expected),
        f"{WIDE} rows": functools.partial(embedding, wide, WIDE),
        "a row by service config": with_service_config(stack, target),
        "a row over REST": over_rest(front[1], 0, tally),
        "a large body over REST": over_rest(front[1], 4 * WIDE, tally),
    }
    pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(asks)))
    stack.callback(tally.stopped.set)
    return [pool.submit(tally.ask_on, client, ask) for client, ask in asks.items()]


def is_down(log, number):
    return log().count(f"Server grpc/server{number + 1} is DOWN") > 0


def happen(servers, base, tally, log):
    """What happens to the servers, one thing after another."""
    time.sleep(2.0)
    tally.event = "one killed"
    servers.end(0, signal.SIGKILL)
    wait_for(lambda: is_down(log, 0), 30)
    tally.event = "one killed, one stopped"
    assert servers.end(1, signal.SIGTERM) == 0
    time.sleep(1.0)
    tally.event = "both start again"
    servers.start(0, 1)
    time.sleep(2.0)
    tally.event, tally.versions = "a new version", (1, 2)
    small_model.write(str(base), 2)
    wait_for(lambda: servers.serve_only(2), 60)
    tally.versions = (2,)
    tally.event = "one frozen"
    servers.send(2, signal.SIGSTOP)
    try:
        wait_for(lambda: is_down(log, 2), 60)
        time.sleep(2.0)
    finally:
        servers.send(2, signal.SIGCONT)
    tally.event = "one thawed"
    time.sleep(2.0)
    tally.event = "the third stopped"
    assert servers.end(2, signal.SIGTERM) == 0
    time.sleep(1.0)


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.attack
@pytest.mark.timeout(600)
def test_clients_that_send_again_lose_nothing_while_servers_die_stop_freeze_and_swap(tmp_path, monkeypatch, attack):
    if shutil.which("haproxy") is None:
        pytest.skip("NO BALANCER: haproxy is not installed; `apt-get install haproxy` brings it, see .ci/run")
    base, tally = tmp_path / "models", Tally()
    base.mkdir()
    small_model.write(str(base), 1)
    pause_after = Retries.pause_after

    def counted(self, error):
        tally.sent_again("gRPC", f"{error.code().name}: {error.details()}"[:200])
        return pause_after(self, error)

    monkeypatch.setattr(Retries, "pause_after", counted)
    with contextlib.ExitStack() as stack:
        servers = Servers(tmp_path, base, stack)
        front = free_port(), free_port()
        log = stack.enter_context(balancer(tmp_path, front, servers.ports))
        clients = ask_in_threads(stack, front, tally)
        happen(servers, base, tally, log)
        tally.stopped.set()
        for client in clients:
            client.result(timeout=90)
    tally.log()
    assert not tally.failures, tally.failures[:5]
    assert min(tally.answers[event] for event in EVENTS) > 0, tally.answers
    tries, slowest = sum(tally.answers.values()), max(tally.slowest_s, key=tally.slowest_s.get)
    attack("server", "servers behind HAProxy under load: one killed, one stopped, one frozen, a new version",
           tries, tries, f"0 failed and 0 wrong; clients sent {sum(tally.again.values())} requests again; the slowest "
           f"answer took {tally.slowest_s[slowest]:.1f} s ({slowest})")  # fmt: skip
