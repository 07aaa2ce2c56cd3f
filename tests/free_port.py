"""A port for a server that is started a moment later, while other workers' tests do the same."""

import random
import socket

# Below the range from which the kernel serves whoever asks for any port, as every outgoing connection does.
_PORTS = range(10_000, 30_000)
_random = random.SystemRandom()


def free_port():
    """One that nobody listens on."""
    while True:
        port = _random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
