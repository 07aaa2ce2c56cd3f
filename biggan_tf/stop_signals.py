"""Ends a command with one status, at any moment at which it is told to end.

Schedulers such as Slurm and Kubernetes send SIGTERM some seconds before they kill a process, and Ctrl-C sends SIGINT. A
training answers by saving a checkpoint, but only once it trains: while libraries are imported, data is prepared and
graphs are traced there is nothing to save. Without `take_over`, a signal would end the process there with another
status, or a C function of many seconds would keep Python from noticing the signal at all.

The kernel gives a signal to a thread of its choice, and Python runs handlers in the main thread alone, once that thread
runs Python again. It does not while it waits for a lock, or in a C function, such as one that waits for the other
workers of a cluster. So the signals are read by a thread of their own, from what `signal.set_wakeup_fd` writes.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

STOPPED = 75  # EX_TEMPFAIL of sysexits.h: the same command goes on from what is saved
_PASS_ON_S = 0.1  # for `quiet_start`, which passes stderr on while TensorFlow is imported
_SAY_S = 1.0  # how long a terminal or pipe that nobody reads may hold a stop up
SIGNALS = (signal.SIGTERM, signal.SIGINT)

# Takes the number of a signal; returns whether the work goes on for now, because it is going to end by itself.
Listener = Callable[[int], bool]


def signal_sockets() -> tuple[socket.socket, socket.socket]:
    """Makes SIGTERM and SIGINT nothing but a byte in a socket, whichever thread is given them. For the main thread.

    Returns:
        (the socket from which the numbers of the signals are read, the one into which they are written). Both must be
        kept.
    """
    read, write = socket.socketpair()
    write.setblocking(False)
    signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, _leave_to_the_reader)
    return read, write


class _Watch:
    """The thread that reads the signals of this process, and who answers them."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self._answering = threading.Lock()
        self._earlier = {number: signal.getsignal(number) for number in SIGNALS}
        self._read, self._write = signal_sockets()
        threading.Thread(target=self._answer, name="stop-signals", daemon=True).start()

    def forget(self) -> None:
        """Puts the handlers back: a forked process has the handlers, but not the thread."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def stop_listening(self) -> None:
        """Makes the signals do nothing from now on: the command has ended, and its exit status is decided.

        While it shuts down, Python puts back what a signal does to a process by itself, which is to end it with another
        status; TensorFlow's part of that takes a second. Python leaves signals alone that are ignored.
        """
        self._answering.acquire()  # never released by an answer that ends the process, nor needed again
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _answer(self) -> None:
        while True:
            for number in self._read.recv(64):
                with self._answering:
                    if number in SIGNALS and not (self.listener and self.listener(number)):
                        name = signal.Signals(number).name
                        say(f"{name}: stopped. Run the same command again to go on from what is saved.")
                        # At once: the main thread may be inside of a C function or wait for a lock. All files are
                        # written so that a kill at any moment leaves them whole or not there.
                        time.sleep(_PASS_ON_S)
                        _end_started_processes()
                        os._exit(STOPPED)


_watch: _Watch | None = None


def take_over(module: str, script: str = "") -> None:
    """Makes SIGTERM and SIGINT end this process with `STOPPED` from now on. A second call does nothing.

    It is the first thing that a command's module does, above its imports. When such a module is imported by something
    else, a test or a notebook, the signals stay as they are.

    Args:
        module: `__name__` of the command's module.
        script: Name of its console script, which imports the module under its own name; "": it has none.
    """
    global _watch
    is_command = module == "__main__" or (script and os.path.basename(sys.argv[0]) == script)
    if _watch is None and is_command and threading.current_thread() is threading.main_thread():
        _watch = _Watch()
        os.register_at_fork(after_in_child=_forget)
        atexit.register(_stop_listening)  # the first to be registered is the last to be called


def listen(listener: Listener | None) -> bool:
    """Lets a function answer the signals; it is called in another thread than the main one.

    Args:
        listener: The function, which returns whether the process is to go on for now; None: the process ends at once.

    Returns:
        Whether the signals were taken over; if not, the caller must install handlers itself.
    """
    if _watch is None:
        return False
    _watch.listener = listener
    return True


def say(text: str) -> None:
    """Writes a line to the terminal from inside of a signal's handler.

    A handler interrupts whatever the main thread does, also a write to `sys.stderr`, and a second write to that inside
    of the first raises RuntimeError. So it is written past Python's buffers. Where stderr is a full pipe that nobody
    reads, or a terminal that a person has halted, the line is left out after a second: the write would wait for ever.
    """
    with contextlib.suppress(OSError):
        if select.select([], [2], [], _SAY_S)[1]:
            os.write(2, f"{text}\n".encode())


def _end_started_processes() -> None:
    """Kills the processes that this one has started, and theirs: Beam's workers, a server that checks an export.

    They would go on writing files that the next command reads, and print tracebacks because they lost their parent.
    Linux alone tells which they are; elsewhere they are left to notice it by themselves.
    """
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found = list(children.get(os.getpid(), ()))
    for pid in found:
        found += children.get(pid, ())
    for pid in found:  # without a pause in which a thread of this process could tell of a lost worker
        with contextlib.suppress(OSError):  # it has ended meanwhile
            os.kill(pid, signal.SIGKILL)


def _leave_to_the_reader(*unused: object) -> None:
    """With Python's own handlers, or none, nothing is written to the wakeup descriptor."""


def _stop_listening() -> None:
    if _watch is not None:
        _watch.stop_listening()


def _forget() -> None:
    global _watch
    if _watch is not None:
        _watch.forget()
        _watch = None
