import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from pipeline.staged.stages import server_process
from pipeline.staged.stages.server_process import ServerError, ServerProcess

_LISTEN = """
import socket, sys, time
flags = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
open(flags["pid_file"], "w").write(str(__import__("os").getpid()))
servers = [socket.create_server(("127.0.0.1", int(flags[name]))) for name in ("port", "rest_api_port")]
time.sleep(600)
"""


@pytest.fixture
def binary(tmp_path):
    """A program that listens as a server does."""
    path = tmp_path / "server"
    path.write_text(f"#!{sys.executable}\n{_LISTEN}")
    path.chmod(0o755)
    return str(path)


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_server_is_waited_for_and_ended(tmp_path, binary):
    flags = [f"--pid_file={tmp_path / 'pid'}"]
    with ServerProcess(flags, tmp_path / "log", binary) as server:
        server.wait_until_open(timeout_s=300)
        pid = int((tmp_path / "pid").read_text())
        assert is_running(pid)
    assert not is_running(pid)


def test_server_that_ends_is_an_error_with_the_last_line_of_its_log(tmp_path):
    path = tmp_path / "server"
    path.write_text("#!/bin/sh\necho starting; echo no such model >&2; exit 7\n")
    path.chmod(0o755)
    with (
        ServerProcess([], tmp_path / "log", str(path)) as server,
        pytest.raises(ServerError, match=r"status 7\. The last line of its log: no such model"),
    ):
        server.wait_until_open(timeout_s=300)


def test_server_that_never_opens_is_an_error(tmp_path):
    with (
        ServerProcess(["600"], tmp_path / "log", "/bin/true") as server,
        pytest.raises(ServerError, match=r"ended with status 0\. Its log is empty\."),
    ):
        server.wait_until_open(timeout_s=300)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_server_dies_with_a_killed_parent(tmp_path, binary):
    code = (
        "import sys, pathlib, time; from pipeline.staged.stages.server_process import ServerProcess\n"
        f"server = ServerProcess(['--pid_file={tmp_path / 'pid'}'], pathlib.Path({str(tmp_path / 'log')!r}), "
        f"{binary!r}); server.wait_until_open(300); print('open', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "open\n"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 300
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_free_ports_differ():
    assert len(set(server_process.free_ports(8))) == 8
