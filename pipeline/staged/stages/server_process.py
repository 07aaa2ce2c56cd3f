"""Runs a model server in another process, which ends when this process ends, even by a kill.

The other process begins as `python -m pipeline.staged.stages.server_process PARENT COMMAND...`: it asks the kernel to
be killed together with its parent, and then replaces itself by the command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # Linux, <sys/prctl.h>; kept when the process becomes another program


class ServerError(RuntimeError):
    """The server ended, or did not load the model in time."""


class ServerProcess:
    """A running server; a context manager that ends it.

    Args:
        flags: The server's flags, without those of the ports, which are chosen here.
        log: File for what the server prints.
        binary: Path of tensorflow_model_server; "": `python -m serving.server` is run.

    Attributes:
        target: Address of the gRPC API, e.g. "127.0.0.1:8500".
        rest_port: Port of the REST API on 127.0.0.1.
    """

    def __init__(self, flags: Sequence[str], log: Path, binary: str = ""):
        port, self.rest_port = free_ports(2)
        self.target, self._port, self._log = f"127.0.0.1:{port}", port, log
        program = [binary] if binary else [sys.executable, "-m", "serving.server"]
        ports = [f"--port={port}", f"--rest_api_port={self.rest_port}"]
        wrapper = [sys.executable, "-m", "pipeline.staged.stages.server_process", str(os.getpid())]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*wrapper, *program, *ports, *flags], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *unused: object) -> None:
        self._process.kill()
        self._process.wait()

    def wait_until_open(self, timeout_s: float, poll_s: float = 0.2) -> None:
        """Waits until the ports are open, which a server does when every model is loaded.

        Args:
            timeout_s: Seconds to wait at most.
            poll_s: Seconds between two looks.

        Raises:
            ServerError: If the server ends, or takes longer.
        """
        deadline = time.monotonic() + timeout_s
        while not (_is_open(self._port) and _is_open(self.rest_port)):
            if self._process.poll() is not None:
                raise ServerError(f"The server ended with status {self._process.returncode}. {self._last_line()}")
            if time.monotonic() > deadline:
                raise ServerError(f"The model was not loaded within {timeout_s:g} s. {self._last_line()}")
            time.sleep(poll_s)

    def _last_line(self) -> str:
        lines = [line for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return f"The last line of its log: {lines[-1]}" if lines else "Its log is empty."


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that no process listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _become(arguments: list[str]) -> None:
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent ended before the kernel was asked
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    _become(sys.argv[1:])
