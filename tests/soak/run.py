"""Serves for a long time under traffic, attacks, swaps, reloads and a restart, and checks every answer.

python -m tests.soak.run --minutes=20
python -m tests.soak.run --minutes=3 --without=a_crowd,slow_connections

Nothing may be wrong at the end: every answer to an honest client has the bytes that its version answers when it is
alone, no honest request failed, and the server's memory is within 5% of what it was after its warm-up (15% where the
server runs for less than five minutes between two starts, which is hardly longer than the warm-up). Honest clients
retry what the client library retries, UNAVAILABLE and RESOURCE_EXHAUSTED (503 and 429 over REST), and connections that
broke, as they do when the server is started again.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in

import argparse
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile
import time

from biggan_tf import environment

environment.prepare()

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2_grpc

from serving.server.batching import Batching
from tests import attack_table
from tests.free_port import free_port
from tests.serving.server_process import started
from tests.soak import exports, hostile
from tests.soak.honest import Honest
from tests.soak.traffic import Tally, Versions

_OUT = attack_table.REPORTS.parent / "soak"
_DEPLOY = pathlib.Path(__file__).parents[2] / "serving" / "deploy"
_EXPORTS, _LIVES = 3, 2
_SWAP_EVERY_S = 8.0
_WARM_UP_SHARE, _MAX_WARM_UP_S = 0.4, 180.0
# In a life of a few minutes memory is still on its way to where it stays: the C library keeps buffers for each thread.
_MAX_GROWTH, _MAX_GROWTH_OF_SHORT_LIFE, _SHORT_LIFE_S = 0.05, 0.15, 300.0
_AVAILABLE, _END = 30, 50
# While requests are answered a new version prepares its graphs, which took 14 to 85 s on two slow cores.
_SWAP_LIMIT_S = 300.0


class Soak:
    """The server, one life after the other, and what is done to it.

    Args:
        folder: A folder for the exports and the versions.
        log: The file for the log of the server.
        minutes: How long it takes in all.
        without: The names of the hostile kinds that are left out.
    """

    def __init__(self, folder, log, minutes, without):
        self._seconds = minutes * 60
        self._base, self._log = os.path.join(folder, "models"), log
        os.mkdir(self._base)
        self._exports = [exports.write(folder, seed) for seed in range(1, _EXPORTS + 1)]
        asked = exports.requests(6)
        batching = Batching.read(str(_DEPLOY / "batching.config"))
        expected = {path: exports.answers(path, asked, batching) for path in self._exports}
        self.tally, self.versions = Tally(), Versions()
        self._port, self._rest_port = free_port(), free_port()
        target = f"127.0.0.1:{self._port}"
        self._clients = (
            Honest(target, self._rest_port, asked, expected, self.versions, self.tally),
            hostile.Hostile(target, self._rest_port, without, self.tally),
        )
        self._number = 0
        self.swaps = self.reloads = 0
        self.marks = []  # for each life: (seconds since its start, MiB)
        self.stops_s = []

    def run(self):
        self._add_version()
        for life in range(_LIVES):
            with self._server() as server:
                if life == 0:
                    for clients in self._clients:
                        clients.start()
                try:
                    self._live(server, self._seconds / _LIVES)
                finally:
                    if life == _LIVES - 1 or not server.is_running():
                        # While a server is there, so that the last requests are answered, too.
                        for clients in reversed(self._clients):
                            clients.stop()
                self._stop(server)

    def _stop(self, server):
        start = time.monotonic()
        server.process.terminate()
        if server.process.wait(timeout=60) != 0:
            self.tally.failure("stop", f"exit status {server.process.returncode}")
        self.stops_s.append(time.monotonic() - start)

    def _server(self):
        flags = [f"--model_base_path={self._base}", "--model_name=biggan", f"--rest_api_port={self._rest_port}"]
        flags += ["--enable_batching", f"--batching_parameters_file={_DEPLOY / 'batching.config'}"]
        flags += [f"--monitoring_config_file={_DEPLOY / 'monitoring.config'}", "--enable_reload"]
        return started(self._log, self._port, *flags)

    def _live(self, server, seconds):
        start = time.monotonic()
        marks = []
        self.marks.append(marks)
        with grpc.insecure_channel(server.target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            models = model_service_pb2_grpc.ModelServiceStub(channel)
            while time.monotonic() - start < seconds:
                time.sleep(_SWAP_EVERY_S / 2)
                if not server.is_running():
                    raise RuntimeError(f"The server ended by itself; its log is {self._log}")
                self._reload(models)
                time.sleep(_SWAP_EVERY_S / 2)
                self._swap(models)
                # After a swap the server has given back what it freed; at other times a burst may be in its memory.
                marks.append((time.monotonic() - start, server.resident_mib()))

    def _add_version(self):
        self._number += 1
        export = self._exports[self._number % _EXPORTS]
        self.versions.begin(export)
        exports.add_version(self._base, export, self._number)

    def _swap(self, models):
        old = self._number
        self._add_version()
        self._wait_for_state(models, self._number, _AVAILABLE)
        self._wait_for_state(models, old, _END)
        self.versions.end(self._exports[old % _EXPORTS])
        shutil.rmtree(os.path.join(self._base, str(old)))
        self.swaps += 1

    def _wait_for_state(self, models, number, state):
        ask = get_model_status_pb2.GetModelStatusRequest()
        ask.model_spec.name, ask.model_spec.version.value = "biggan", number
        deadline = time.monotonic() + _SWAP_LIMIT_S
        while time.monotonic() < deadline:
            try:
                if models.GetModelStatus(ask, timeout=20).model_version_status[0].state == state:
                    return
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:  # it was not looked for yet
                    self.tally.failure("GetModelStatus", error.details())
            time.sleep(0.05)
        self.tally.failure("swap", f"version {number} did not come to state {state} in {_SWAP_LIMIT_S:.0f} s")

    def _reload(self, models):
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.config.add(name="biggan", base_path=self._base, model_platform="tensorflow")
        try:
            models.HandleReloadConfigRequest(request, timeout=20)
            self.reloads += 1
        except grpc.RpcError as error:
            self.tally.failure("reload", error.details())


def growth(marks):
    """How much larger the memory was at the end of a life than after its warm-up, as a share."""
    whole = marks[-1][0]
    warm = [mib for seconds, mib in marks if seconds >= min(whole * _WARM_UP_SHARE, _MAX_WARM_UP_S)]
    third = max(len(warm) // 3, 1)
    return statistics.median(warm[-third:]) / statistics.median(warm[:third]) - 1


def most_growth(marks):
    """The growth that is allowed."""
    return _MAX_GROWTH if marks[-1][0] >= _SHORT_LIFE_S else _MAX_GROWTH_OF_SHORT_LIFE


def page(soak, minutes, without):
    """The report, one page."""
    tally = soak.tally
    lines = [
        f"Soak of {minutes:g} minutes",
        "",
        f"{'requests of honest clients':<40}{'right':>9}{'wrong':>7}{'failed':>8}  slowest",
    ]
    for kind in sorted({*tally.right, *tally.wrong, *tally.failed}):
        counts = f"{tally.right[kind]:>9,}{tally.wrong[kind]:>7,}{tally.failed[kind]:>8,}"
        lines.append(f"{kind:<40}{counts}{tally.slowest_s[kind]:>7.1f} s")
    lines += ["", f"{'hostile clients':<40}{'bursts':>9}"]
    lines += [f"{kind:<40}{count:>9,}" for kind, count in sorted(tally.hostile.items())]
    lines += [f"{kind:<40}{'off':>9}" for kind in sorted(without)]
    stops = ", ".join(f"{seconds:.1f}" for seconds in soak.stops_s)
    lines += ["", f"hot swaps {soak.swaps}, reloads {soak.reloads}, stops by SIGTERM after {stops} s"]
    for number, marks in enumerate(soak.marks, 1):
        shown = marks[:: max(len(marks) // 10, 1)]
        lines.append(f"life {number}: MiB at seconds " + ", ".join(f"{mib:.0f} at {s:.0f}" for s, mib in shown))
        lines.append(
            f"life {number}: {growth(marks):+.1%} from the warm-up to the end, of {most_growth(marks):.0%} allowed"
        )
    lines += ["", *(f"FAILED {text}" for text in tally.texts)]
    return "\n".join(lines)


def verdict(soak):
    """Returns (whether all is as it must be, the row for docs/attacks.md)."""
    tally = soak.tally
    right, bad = sum(tally.right.values()), sum(tally.wrong.values()) + sum(tally.failed.values())
    most = max(growth(marks) for marks in soak.marks)
    outcome = f"{sum(tally.wrong.values())} wrong bytes, {sum(tally.failed.values())} failed, beside "
    outcome += f"{sum(tally.hostile.values()):,} hostile bursts, {soak.swaps} hot swaps, {soak.reloads} reloads and "
    outcome += f"{len(soak.stops_s)} stops; RSS {most:+.1%} from the warm-up to the end"
    row = attack_table.Attack(
        "server", "a soak: honest requests among attacks", right + bad, right, outcome, "tests/soak/run.py"
    )
    return bad == 0 and right > 0 and all(growth(marks) <= most_growth(marks) for marks in soak.marks), row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="how long it takes (default: 20)")
    parser.add_argument(
        "--without", default="", help="hostile kinds to leave out, with commas between them (default: none)"
    )
    arguments = parser.parse_args()
    # The server is a process of its own, which must not outlive this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    without = {name for name in arguments.without.split(",") if name}
    unknown = without - {kind.__name__ for kind in hostile.KINDS}
    if unknown:
        parser.error(f"no hostile kind is called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        _OUT.mkdir(parents=True, exist_ok=True)
        soak = Soak(folder, _OUT / "server.log", arguments.minutes, without)
        soak.run()
    all_right, row = verdict(soak)
    sys.stdout.write(page(soak, arguments.minutes, without) + "\n")
    attack_table.report(row)
    sys.exit(0 if all_right else 1)


if __name__ == "__main__":
    main()
