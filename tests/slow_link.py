"""A link between network namespaces that is slow and loses packets, as netem makes it where the kernel has it.

Each namespace gets a tun device. This process reads the packets that are sent there, drops some at random, and hands
the others to the other device after a delay. TCP sends what was lost again, as over any bad line.
"""

import collections
import fcntl
import os
import random
import select
import struct
import threading
import time

from tests.example_hosts import network_hosts

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_LARGEST_PACKET = 65536


class SlowLink:
    """A second link between two hosts, with addresses of its own.

    Args:
        hosts: The two `network_hosts.Host`.
        delay_s: How long a packet takes, either way.
        loss: The share of the packets that are lost.
        numbers: The first three numbers of the addresses.
    """

    def __init__(self, hosts, delay_s, loss, numbers="10.213.78"):
        self._hosts, self._delay_s, self._loss = hosts, delay_s, loss
        self.addresses = [f"{numbers}.{number}" for number in (2, 3)]
        self.carried = self.lost = 0
        self._ended = threading.Event()
        self._random = random.Random(0)
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self):
        self._files = [self._device(*end) for end in zip(self._hosts, self.addresses, strict=True)]
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self._ended.set()
        self._thread.join()
        for file in self._files:
            os.close(file)  # the device goes with it

    def _device(self, host, address):
        file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        name = f"tun{os.getpid()}"  # in this process's namespace, until it is moved
        fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        network_hosts.ip("link", "set", name, "netns", host.name)
        network_hosts.ip("-n", host.name, "address", "add", f"{address}/24", "dev", name)
        network_hosts.ip("-n", host.name, "link", "set", name, "up")
        return file

    def _carry(self):
        under_way = collections.deque()  # (when it arrives, where, the packet), in this order as all take as long
        while not self._ended.is_set():
            wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else 0.1
            for file in select.select(self._files, [], [], wait)[0]:
                packet = os.read(file, _LARGEST_PACKET)
                if self._random.random() < self._loss:
                    self.lost += 1
                    continue
                self.carried += 1
                other = self._files[1 - self._files.index(file)]
                under_way.append((time.monotonic() + self._delay_s, other, packet))
            while under_way and under_way[0][0] <= time.monotonic():
                _, other, packet = under_way.popleft()
                os.write(other, packet)
