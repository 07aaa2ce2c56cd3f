"""What ends the server: SIGTERM, SIGINT, or a start that failed."""

from __future__ import annotations

from biggan_tf.stop_signals import signal_sockets


class StopRequest:
    """Waits in the main thread for a signal that any thread of the process may have been given.

    The kernel gives a signal to a thread of its choice. Python runs the handler in the main thread alone, once that
    thread does something; while it waits for a lock it does nothing. So when a thread of TensorFlow or gRPC was given
    the signal, a main thread that waited for a `threading.Event` never stopped the server. This one waits for a byte.
    """

    def __init__(self) -> None:
        """Takes SIGTERM and SIGINT over. Call it in the main thread."""
        self._read, self._write = signal_sockets()

    def send(self) -> None:
        """Ends the wait, from any thread."""
        self._write.send(b"\0")

    def wait(self) -> None:
        """Returns after a signal, or after `send`."""
        self._read.recv(1)
