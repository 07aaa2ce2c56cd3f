"""Hosts that are network namespaces of this machine, each with an address of its own on a bridge; it needs root."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping


class HostsError(Exception):
    """The hosts cannot be made, or a run on them did not end as it must."""


def ip(*arguments: str) -> None:
    """Runs `ip` and raises HostsError with what it says if it fails."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostsError(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")


class Host:
    """A network namespace with a link to the bridge.

    Args:
        name: Its name, at most 10 letters.
        number: The last number of its address, from 2 on.
        bridge: The bridge's name, at most 10 letters, with which the names of the namespace and the link begin.
        network: The first three numbers of its address.
    """

    def __init__(self, name: str, number: int, bridge: str, network: str):
        self.name, self.address = f"{bridge}-{name}", f"{network}.{number}"
        self._bridge, self._link = bridge, f"{bridge}{number}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def make(self) -> None:
        """Makes the namespace, its link and its address."""
        ip("netns", "add", self.name)
        ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", self._link, "master", self._bridge, "up")
        ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", self.name, "link", "set", link, "up")

    def start(
        self, log: pathlib.Path, *command: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a Python command on the host, in a session of its own so that `kill` reaches its children.

        Args:
            log: The file to which its output is added.
            command: The arguments of Python.
            environment: Variables that are set besides this process's; None: none. The GPUs are hidden.
        """
        variables = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", **(environment or {})}
        with log.open("ab") as file:
            started = subprocess.Popen(
                ["ip", "netns", "exec", self.name, sys.executable, *command],
                stdout=file, stderr=file, env=variables, start_new_session=True,
            )  # fmt: skip
        self.processes.append(started)
        return started

    def unplug(self) -> None:
        """Takes the link away."""
        ip("link", "set", self._link, "down")

    def plug(self) -> None:
        """Puts the link back."""
        ip("link", "set", self._link, "up")

    def cut(self, seconds: float) -> None:
        """Takes the link away for a time."""
        self.unplug()
        time.sleep(seconds)
        self.plug()

    def kill(self) -> None:
        """Kills all that runs on the host, at once."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
        self.processes.clear()

    def remove(self) -> None:
        """Kills what runs on the host, and deletes it."""
        self.kill()
        # The link first: with its namespace it goes some time later, and another host of this name could not be made.
        for what, name in (("link", self._link), ("netns", self.name)):
            with contextlib.suppress(HostsError):
                ip(what, "delete", name)


def can_be_made() -> bool:
    """Whether this process may make network namespaces, which takes root, `ip` and a kernel that has them."""
    probe = f"probe-{os.getpid()}"
    try:
        ip("netns", "add", probe)
        ip("netns", "delete", probe)
    except (HostsError, OSError):
        return False
    return True


@contextlib.contextmanager
def network(names: list[str], bridge: str = "", numbers: str = "10.213.77") -> Iterator[list[Host]]:
    """Hosts on one bridge. Raises HostsError where they cannot be made.

    Args:
        names: The hosts' names, at most 10 letters each.
        bridge: The bridge's name, at most 10 letters. Two networks at the same time need different ones; "": a name
            with the number of this process.
        numbers: The first three numbers of the hosts' addresses, which other networks may have too.
    """
    bridge = bridge or f"bg{os.getpid()}"
    hosts = [Host(name, number, bridge, numbers) for number, name in enumerate(names, 2)]
    try:
        ip("link", "add", bridge, "type", "bridge")
        ip("link", "set", bridge, "up")
        for host in hosts:
            host.make()
        yield hosts
    finally:
        for host in hosts:
            host.remove()
        with contextlib.suppress(HostsError):
            ip("link", "delete", bridge)
