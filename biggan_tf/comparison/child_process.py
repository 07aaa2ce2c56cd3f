"""Runs a command of this package in a process of its own, which never outlives the one that started it.

Each run of a comparison is trained and measured in fresh processes: what one of them leaves behind in memory or in
TensorFlow's state, such as devices and traced graphs, cannot change the speed of the next.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from biggan_tf import files
from biggan_tf.folder_lock import FolderInUseError, FolderLock
from biggan_tf.training.shutdown import Shutdown

_POLL_S = 0.5
_LOCK_WAIT_S = 120.0
_TOLD_LINES = 12
# A process between the two, which lets the command outlive neither. Its standard input ends when the parent closes the
# pipe, and also when the parent ends, even by SIGKILL. Then it sends one SIGTERM to the command, so that a training
# saves a checkpoint and gives the lock of its workdir back. Linux could send that by itself (PR_SET_PDEATHSIG), but it
# sends one for each thread of the parent that ends before the last one, and a second SIGTERM ends a training at once.
_WATCH = """
import os, select, signal, subprocess, sys
process = subprocess.Popen([sys.executable, "-m", *sys.argv[1:]], stdin=subprocess.DEVNULL)
ended, end = os.pipe()
os.set_blocking(end, False)
signal.set_wakeup_fd(end, warn_on_full_buffer=False)
signal.signal(signal.SIGCHLD, lambda *unused: None)
while process.poll() is None:  # Linux sends SIGCHLD also when the command is halted or goes on
    ready = select.select([sys.stdin, ended], [], [])[0]
    if sys.stdin in ready:
        process.terminate()
        break
    os.read(ended, 64)
status = process.wait()
if status < 0:
    if -status != signal.SIGKILL:  # which nothing can handle
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


def run(words: Sequence[str], log: str, shutdown: Shutdown, poll: Callable[[], None]) -> int:
    """Runs `python -m WORDS` and returns its exit status, which is negative after a signal.

    Args:
        words: The module and its arguments.
        log: The file to which what it prints is added.
        shutdown: When it is requested, the process is told to end, which a training does after saving.
        poll: Is called twice a second while the process runs.
    """
    files.make_folder(os.path.dirname(log))
    with open(log, "ab") as out:
        # In a session of its own, Ctrl-C reaches it by way of this process alone, once and not twice.
        process = subprocess.Popen(
            [sys.executable, "-c", _WATCH, *words],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    lifeline = process.stdin
    if lifeline is None:
        raise RuntimeError("A process that is started with a pipe has one.")
    try:
        while True:
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                poll()
            if shutdown.requested:
                lifeline.close()
    finally:
        lifeline.close()
        process.wait()  # it runs on after an error in `poll` alone


def last_lines(log: str) -> str:
    """The end of what a process has printed, to explain its exit status."""
    lines = files.read_bytes(log).decode(errors="replace").splitlines() if files.exists(log) else []
    return "\n".join(lines[-_TOLD_LINES:])


def wait_until_free(workdir: str) -> None:
    """Waits until no process writes a workdir: one whose parent was killed is still saving its last checkpoint.

    Raises:
        FolderInUseError: If it is held for longer than two minutes.
    """
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            with FolderLock(workdir):
                return
        except FolderInUseError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_S)
