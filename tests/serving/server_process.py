"""Runs `python -m serving.server` as a process of its own, whose memory and whose end can be measured."""

import contextlib
import os
import pathlib
import subprocess
import sys

import grpc

ROOT = pathlib.Path(__file__).parents[2]
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ServerProcess:
    """A server that has been started; its log goes to a file."""

    def __init__(self, process, target, log):
        self.process, self.target, self.log = process, target, log

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE / 2**20

    def is_running(self):
        return self.process.poll() is None


@contextlib.contextmanager
def started(log, port, *flags, ready_s=300):
    """Starts a server and waits until its gRPC port is open; at the end it is stopped, and killed if need be.

    Args:
        log: The file that its log is appended to.
        port: The port of gRPC.
        *flags: The other flags, as on the command line.
        ready_s: Seconds that the start may take.
    """
    command = [sys.executable, "-m", "serving.server", f"--port={port}", *flags]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT)}
    with open(log, "ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT, env=environment)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
            grpc.channel_ready_future(channel).result(timeout=ready_s)
        yield ServerProcess(process, f"127.0.0.1:{port}", log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
