"""Lets one process at a time write a folder: a training its workdir, a pipeline its root, the preprocessing its output.

The lock belongs to an open file and not to the file's name, so the kernel gives it back when its process ends, also by
a kill: a file that such a process has left behind keeps nobody out. It holds between the processes of one machine, and
between machines where the file system passes `flock` on, as NFS 4, Lustre and CephFS do. Object stores have no locks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import socket
import sys
import time
from typing import IO

from biggan_tf import files

_LOGGER = logging.getLogger(__name__)
# What a file system answers that has no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class FolderInUseError(RuntimeError):
    """Another process writes the folder; the message says which one, and what to do."""


class FolderLock:
    """A context in which no other process that asks for this lock can write a folder.

    Args:
        folder: The folder, which is made if it is not there. A URL is not locked; the log says so.
        name: Name of the file that is locked; it is removed when the context is left.

    Raises:
        FolderInUseError: On entering, if another process holds the lock.
        OSError: On entering, if the folder cannot be written.
    """

    def __init__(self, folder: files.Path, name: str = ".lock"):
        self._folder = os.fspath(folder)
        self._path = files.join(self._folder, name)
        self._file: IO[str] | None = None

    def __enter__(self) -> FolderLock:
        if files.is_remote(self._folder):
            _LOGGER.info("%s is remote and cannot be locked: let no other process write it.", self._folder)
            return self
        os.makedirs(self._folder, exist_ok=True)
        self._file = self._acquire()
        with contextlib.suppress(OSError):  # a full disk: the lock holds, and only the holder's name is missing
            self._file.truncate(0)
            self._file.write(json.dumps(_this_process()))
            self._file.flush()
        return self

    def __exit__(self, *unused: object) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # the folder may be gone, or be read-only by now
            os.unlink(self._path)
        with contextlib.suppress(OSError):  # what a full disk did not take is written again by `close`
            self._file.close()
        self._file = None

    def _acquire(self) -> IO[str]:
        while True:
            file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115 - held until the context is left
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                with file:
                    raise FolderInUseError(self._refusal(file)) from error
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    file.close()
                    raise
                _LOGGER.warning("%s has no locks: let no other process write it.", self._folder)
            if _is_still_there(file, self._path):
                return file
            file.close()  # the holder removed the file between our `open` and our `flock`

    def _refusal(self, file: IO[str]) -> str:
        return (
            f"One process at a time may write {self._folder}. Received: it is held by {_holder(file)}. "
            "Wait for that process, or stop it, or name another folder."
        )


def _is_still_there(file: IO[str], path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _this_process() -> dict[str, int | str]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(sys.argv)[:200],
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _holder(file: IO[str]) -> str:
    """Who holds the lock, as far as the file says so."""
    try:
        file.seek(0)
        values = json.loads(file.read(4096))
        return f"process {values['pid']} on {values['host']} since {values['since']} ({values['command']})"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"  # which has not written its name yet, or could not
